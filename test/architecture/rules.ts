import { type Import, packageOf, resolveImport, type SourceFile } from './imports.ts'

/** What a folder of the sources may do. */
export interface FolderRule {
  /** Folders (or files) beside it that it may import. */
  readonly mayImport: readonly string[]
  /** Packages that may be imported here. */
  readonly homeOf: readonly string[]
}

/** Folder, or file at the top, → what it may do. */
export type Architecture = Readonly<Record<string, FolderRule>>

function isRelative({ name }: Import): boolean {
  return name.startsWith('.')
}

/** The first part of a path: a folder, or a file at the top. */
function areaOf(path: string): string {
  return path.split('/')[0] ?? path
}

/** Imports between folders that the architecture does not permit. */
export function findForbiddenImports(files: readonly SourceFile[], architecture: Architecture): string[] {
  return files.flatMap(({ path, imports }) => {
    const area = areaOf(path)
    const rule = architecture[area]
    if (rule === undefined) return [`${path}: the table has no row for ${area}`]
    const targets = imports.filter(isRelative).map(({ name }) => resolveImport(path, name))
    return targets
      .filter((target) => areaOf(target) !== area && !rule.mayImport.includes(areaOf(target)))
      .map((target) => `${path} imports ${target}`)
  })
}

/** Packages imported outside of their home. */
export function findHomelessPackages(files: readonly SourceFile[], architecture: Architecture): string[] {
  return files.flatMap(({ path, imports }) => {
    const home = architecture[areaOf(path)]?.homeOf ?? []
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

/** Import cycles, each as the way around. Types may go in circles: nothing of them is left when the program runs. */
export function findCycles(files: readonly SourceFile[]): string[] {
  const graph = new Map(
    files.map(({ path, imports }) => {
      const kept = imports.filter((item) => isRelative(item) && !item.typeOnly)
      return [path, kept.map(({ name }) => resolveImport(path, name))]
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
