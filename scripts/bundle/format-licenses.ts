import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * The licenses of the packages that modules come from, with the versions: what a copy of them must bring along, and what tells readers
 * which versions it has.
 *
 * @param modules - paths of the files
 * @throws Error for a package without the text of its license
 */
export function formatLicenses(modules: readonly string[]): string {
  const packages = new Set(modules.flatMap((path) => findPackage(path) ?? []))
  return [...packages].sort().map(formatLicense).join('\n')
}

/** Folder of the innermost package; undefined for a module of ours. */
function findPackage(path: string): string | undefined {
  return /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0]
}

function formatLicense(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<string, string>
  const file = readdirSync(folder).find((each) => /^licen[cs]e/i.test(each))
  if (file === undefined) throw new Error(`${name} has no text of its license`)
  const text = readFileSync(join(folder, file), 'utf8').trim()
  return `${'='.repeat(80)}\n${name} ${version} (${license})\n\n${text}\n`
}
