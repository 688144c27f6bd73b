import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, sep } from 'node:path'

/** One import of a file. */
export interface Import {
  /** As written: `./load.ts`, `../core/plan.ts`, `zod`, `node:fs`. */
  readonly name: string
  /** Whether nothing is left of it when types are gone. */
  readonly typeOnly: boolean
}

/** A file of the sources and what it imports. */
export interface SourceFile {
  /** Below the folder that was scanned, for example `config/load.ts`. */
  readonly path: string
  readonly imports: readonly Import[]
}

/** Reads every source below a folder. Tests are no part of what they test. */
export function readSources(folder: string): SourceFile[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'))
    .map((path) => ({ path: path.split(sep).join('/'), imports: findImports(readFileSync(join(folder, path), 'utf8')) }))
}

/**
 * What a text imports: `import … from 'x'`, `import 'x'`, `export … from 'x'`, `import('x')`, `typeof import('x')` and `require('x')`.
 * Comments are left out first; the text of a string can look like an import, which then is one too many, never one too few.
 */
export function findImports(text: string): Import[] {
  const code = stripComments(text)
  const statements = code.matchAll(/\b(?:import|export)\b(?<what>[^;'"`]*?)\bfrom\s*(['"])(?<name>[^'"]+)\2/g)
  const others = code.matchAll(/\b(?:import\s*\(?|require\s*\()\s*(['"])(?<name>[^'"]+)\1/g)
  return [...statements, ...others].map(({ groups }) => ({
    name: groups?.name ?? '',
    typeOnly: /^\s+type\b/.test(groups?.what ?? ''),
  }))
}

/** Leaves out comments, but nothing that only looks like one inside a string. */
function stripComments(text: string): string {
  const tokens = /(?<string>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\[\s\S])*`)|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g
  return text.replace(tokens, (token, string) => (string === undefined ? ' ' : token))
}

/** The file that a relative import names, below the folder that was scanned. */
export function resolveImport(from: string, name: string): string {
  return normalize(join(dirname(from), name))
    .split(sep)
    .join('/')
}

/** The package of an import: `zod/v4` is of `zod`, `@scope/name/part` of `@scope/name`. */
export function packageOf(name: string): string {
  return name
    .split('/')
    .slice(0, name.startsWith('@') ? 2 : 1)
    .join('/')
}
