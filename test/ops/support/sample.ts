import { readFileSync } from 'node:fs'

/** A file of `samples/`. */
export function readSample(name: string): string {
  return readFileSync(new URL(`../../../samples/${name}`, import.meta.url), 'utf8')
}
