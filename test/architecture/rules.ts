import { type Import, packageOf, resolveImport, type SourceFile } from './imports.ts'

/** What an area of the sources may do. */
export interface AreaRule {
  /** Areas that it may import. Naming `config` permits all areas below it, too. */
  readonly mayImport: readonly string[]
  /** Packages that may be imported here. */
  readonly homeOf: readonly string[]
}

/** Area (a folder at any depth, or a file at the top) → what it may do. */
export type Architecture = Readonly<Record<string, AreaRule>>

function isRelative({ name }: Import): boolean {
  return name.startsWith('.')
}

function isWithin(path: string, area: string): boolean {
  return path === area || path.startsWith(`${area}/`)
}

/** The area with the longest name that a path lies in. */
function findArea(path: string, architecture: Architecture): string | undefined {
  const areas = Object.keys(architecture).filter((area) => isWithin(path, area))
  return areas.sort((one, other) => other.length - one.length)[0]
}

/** Imports between areas that the architecture does not permit. */
export function findForbiddenImports(files: readonly SourceFile[], architecture: Architecture): string[] {
  return files.flatMap(({ path, imports }) => {
    const area = findArea(path, architecture)
    const rule = area && architecture[area]
    if (!rule) return [`${path}: the table has no row for ${path.split('/')[0]}`]
    const targets = imports.filter(isRelative).map(({ name }) => resolveImport(path, name))
    return targets
      .filter((target) => findArea(target, architecture) !== area && !rule.mayImport.some((other) => isWithin(target, other)))
      .map((target) => `${path} imports ${target}`)
  })
}

/** Packages imported outside of their home. */
export function findHomelessPackages(files: readonly SourceFile[], architecture: Architecture): string[] {
  return files.flatMap(({ path, imports }) => {
    const home = architecture[findArea(path, architecture) ?? '']?.homeOf ?? []
    const packages = imports
      .filter((item) => !isRelative(item) && !item.name.startsWith('node:'))
      .map(({ name }) => packageOf(name))
    return packages.filter((name) => !home.includes(name)).map((name) => `${path} imports ${name}`)
  })
}

/** Imports of files that are not there, which would hide from the other rules. */
export function findLostImports(files: readonly SourceFile[]): string[] {
  const paths = new Set(files.map(({ path }) => path))
  return files.flatMap(({ path, imports }) => {
    const targets = imports.filter(isRelative).map(({ name }) => resolveImport(path, name))
    return targets.filter((target) => !paths.has(target)).map((target) => `${path} imports ${target}`)
  })
}

/** Import cycles, each as the way around. Imports of types count: files that need each other's types are one thing to their reader. */
export function findCycles(files: readonly SourceFile[]): string[] {
  const graph = new Map(
    files.map(({ path, imports }) => {
      return [path, imports.filter(isRelative).map(({ name }) => resolveImport(path, name))]
    }),
  )
  const done = new Set<string>()
  const cycles: string[] = []
  const visit = (path: string, way: readonly string[]): void => {
    const start = way.indexOf(path)
    if (start >= 0) {
      cycles.push([...way.slice(start), path].join(' → '))
      return
    }
    if (done.has(path)) return
    for (const next of graph.get(path) ?? []) visit(next, [...way, path])
    done.add(path)
  }
  for (const path of graph.keys()) visit(path, [])
  return cycles
}
