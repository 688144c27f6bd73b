import type { Plan } from '../core/plan/plan.ts'
import { type AuthorizationServer, type AuthorizationServerOptions, startAuthorizationServer } from './authorization-server.ts'
import { canReachDocuments } from './reach-documents.ts'
import { assignScopes } from './scopes.ts'
import type { User } from './users.ts'

/** An authorization server for trying a configuration out, on 127.0.0.1. It forgets everything when it ends. */
export interface Sandbox {
  /** Issuer identifier, `http://localhost:<port>`. */
  readonly issuer: string
  readonly port: number
  /** Who can sign in. Their passwords are no secrets. */
  readonly users: readonly User[]
  close(): Promise<void>
}

/**
 * Starts a sandbox that issues access tokens for every server of a plan.
 *
 * @param plan - how the proxy will serve
 * @param canReach - whether metadata documents of clients can be fetched
 * @param port - preferred; a free one is chosen when it is taken
 */
export async function startSandbox({ servers }: Plan, port: number, canReach = canReachDocuments): Promise<Sandbox> {
  const endpoints = servers.flatMap(({ endpoints }) => endpoints).filter(({ kind }) => kind !== 'messages')
  const resources = [...new Set(endpoints.map(({ resource }) => resource))]
  const { users, ...scopes } = assignScopes(servers)
  const server = await startSomewhere({
    ...scopes,
    users,
    resources,
    addDefaultScopes: true,
    clientDocuments: await canReach(),
    // Clients of the first revisions name no resource. The addresses of one server are all the same to it.
    ...(servers.length === 1 && resources[0] !== undefined && { defaultResource: resources[0] }),
    port,
  })
  return { issuer: server.issuer, port: server.port, users, close: () => server.close() }
}

async function startSomewhere(options: AuthorizationServerOptions): Promise<AuthorizationServer> {
  try {
    return await startAuthorizationServer(options)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')) throw error
    return startAuthorizationServer({ ...options, port: 0 })
  }
}
