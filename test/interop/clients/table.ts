// The table of clients in the documentation: what stands there is what the tests expect.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The clients that are walked, as the table calls them. */
export const WALKED = [
  'mcp-remote',
  "FastMCP's client",
  'Go SDK',
  'Gemini CLI',
  'Codex',
  'opencode',
  'mcp-go',
  'AI SDK',
  'mcporter',
] as const

export type WalkedName = (typeof WALKED)[number]

export interface Row {
  readonly client: string
  readonly version: string
  /** MCP revision of its calls. */
  readonly revision: string
  /** How it makes itself known to the broker. */
  readonly registration: string
  /** What it does after a 403 for a scope. */
  readonly refusal: string
}

const page = join(import.meta.dirname, '../../../docs/recipes/clients.md')
const HEADER = '| client | version | revision | makes itself known by | after a 403 for a scope |'

/** The rows that CI walks. */
export function readTable(): readonly Row[] {
  const lines = readFileSync(page, 'utf8').split('\n')
  const first = lines.indexOf(HEADER)
  if (first === -1) throw new Error(`${page} has no table with the header ${HEADER}`)
  const rows = lines.slice(first + 2)
  return rows.slice(0, rows.indexOf('')).map((line) => {
    const [client = '', version = '', revision = '', registration = '', refusal = ''] = line
      .split('|')
      .slice(1)
      .map((cell) => cell.trim())
    return { client, version, revision, registration, refusal }
  })
}

export function findRow(client: WalkedName): Row {
  const row = readTable().find((one) => one.client === client)
  if (row === undefined) throw new Error(`the table of ${page} does not name ${client}`)
  return row
}
