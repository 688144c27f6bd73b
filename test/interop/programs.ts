import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'

const home = resolve(import.meta.dirname, '../../.cache/interop')

/** Programs that others wrote, as `node scripts/interop.mjs` brings them. */
const PROGRAMS = {
  /** Python with FastMCP and the official SDK, as they are today. */
  python: join(home, 'python/bin/python'),
  /** Python with the official SDK's first generation. */
  pythonV1: join(home, 'python-v1/bin/python'),
  /** The MCP Inspector. */
  inspector: join(home, 'inspector/node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js'),
  /** Keycloak. */
  keycloak: join(home, 'keycloak/bin/kc.sh'),
} as const

/**
 * Finds a program.
 *
 * @returns its path, or undefined where it is missing: then a suite skips itself with a message
 * @throws Error under CI, where nothing may be skipped
 */
export function findProgram(name: keyof typeof PROGRAMS): string | undefined {
  const path = PROGRAMS[name]
  if (existsSync(path)) return path
  if (process.env.CI) throw new Error(`${path} is missing: run node scripts/interop.mjs`)
  console.warn(`skipped: ${path} is missing. Run node scripts/interop.mjs first.`)
  return undefined
}
