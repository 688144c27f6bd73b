import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'

/**
 * Finds the folder of public attack vectors. It is not part of the repository: `VECTORS_DIR` says where it is.
 *
 * @param name - file or folder inside
 * @returns its path, or undefined where it is missing: then a suite skips itself with a message
 * @throws Error under CI, where nothing may be skipped
 */
export function findVectors(name: string): string | undefined {
  const folder = process.env.VECTORS_DIR ?? resolve(import.meta.dirname, '../../../shared/vectors')
  const path = join(folder, name)
  if (existsSync(path)) return path
  if (process.env.CI) throw new Error(`attack vectors are missing: ${path}. Set VECTORS_DIR.`)
  console.warn(`skipped: no attack vectors at ${path}. Set VECTORS_DIR to run them.`)
  return undefined
}
