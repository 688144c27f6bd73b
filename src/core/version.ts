import { readFileSync } from 'node:fs'

/** The version of this package. `package.json` lies two folders up, in the repository (src/core) as in the package (dist/core). */
export function readVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  const { version } = JSON.parse(text) as { version: string }
  return version
}

/** In answers of the admin listener to operators, with the version. */
export const VERSION_HEADER = 'open-mcp-auth-proxy'
