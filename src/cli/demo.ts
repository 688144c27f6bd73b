import type { RunningProxy } from '../app.ts'
import type { Loaded } from '../config/load.ts'
import type { Plan } from '../core/plan/plan.ts'
import type { Sandbox } from '../sandbox/sandbox.ts'
import type { Source } from './source.ts'
import { formatTable } from './table.ts'

/** A proxy that serves, with the sandbox that signs its users in. */
export interface StartedDemo {
  readonly proxy: RunningProxy
  readonly loaded: Loaded
  readonly sandbox: Sandbox
}

/**
 * Starts a proxy and, before it, the sandbox that signs its users in.
 *
 * @param settled - names the port of the proxy
 * @param wanted - port of the sandbox; another one is taken if it is in use
 * @throws the listening error of the proxy; the sandbox is closed then
 */
export async function startDemo(settled: Loaded, wanted: number, source: Source): Promise<StartedDemo> {
  // Loaded only now: nothing else needs users whose passwords are known.
  const [{ startProxy }, { startSandbox }] = await Promise.all([import('../app.ts'), import('../sandbox/sandbox.ts')])
  const sandbox = await startSandbox(settled.plan, wanted)
  try {
    const load = () => source.load(settled.plan.listen.port, sandbox.port)
    const loaded = load()
    return { proxy: await startProxy(loaded.plan, { load: () => load().plan }), loaded, sandbox }
  } catch (error) {
    await sandbox.close()
    throw error
  }
}

/** What must be known before anybody uses this. */
export const DEMO_WARNING =
  'DEMO: only for trying it out on this machine. Anyone who can reach a port of this machine can sign in with the passwords below. Keys, registrations and sign-ins are kept in memory only.'

/** Who can sign in, and how to connect. */
export function formatDemo({ issuer, users }: Sandbox, plan: Plan): string[] {
  const people = users.map(({ name, password, mayGrant }) => [
    [name],
    [`password ${password}`],
    [`may have ${mayGrant.join(', ')}`],
  ])
  const endpoints = plan.servers.flatMap((server) => server.endpoints.filter(({ kind }) => kind !== 'messages').slice(0, 1))
  return [
    `sign in at ${issuer} as`,
    ...formatTable(['', '', ''], people)
      .slice(1)
      .map((line) => `  ${line}`),
    'connect with',
    ...endpoints.flatMap(({ kind, resource }) => formatClients(kind === 'sse', resource)).map((line) => `  ${line}`),
  ]
}

function formatClients(isSse: boolean, url: string): string[] {
  return formatTable(
    ['', ''],
    [
      [
        ['MCP Inspector'],
        ['npx @modelcontextprotocol/inspector', `then choose ${isSse ? 'SSE' : 'Streamable HTTP'}, enter ${url}`],
      ],
      [
        ['Claude Code'],
        [`claude mcp add --transport ${isSse ? 'sse' : 'http'} demo ${url}`, 'then /mcp, choose demo, authenticate'],
      ],
    ],
  ).slice(1)
}
