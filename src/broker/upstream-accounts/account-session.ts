import { formatAccountCallback } from '../../core/account-meeting.ts'
import type { Clock } from '../../core/clock.ts'
import type { Encryption } from '../../core/encryption.ts'
import type { OwnAccountPlan } from '../../core/plan/own-account-plan.ts'
import type { OnEvent } from '../../core/security-event.ts'
import type { Store } from '../../core/store.ts'
import type { ResolveHost } from '../../oauth/resolve-host.ts'
import type { SafeFetch } from '../../oauth/safe-fetch.ts'
import { type AccountClients, createAccountClients } from './account-clients.ts'
import { openAccountFetch } from './account-fetch.ts'
import { type AccountServers, createAccountServers } from './account-server.ts'
import { type AccountTokenEndpoint, createAccountTokenEndpoint } from './account-tokens.ts'
import { type Connections, openConnections } from './connection.ts'
import type { ReservedUrls } from './reserved-urls.ts'

export interface AccountSessionOptions {
  /** Our public URL. */
  readonly origin: string
  readonly store: Store
  readonly encryption: Encryption
  readonly clock: Clock
  readonly resolveHost: ResolveHost | undefined
  /** Seconds after which a user signs in anew. */
  readonly grantSeconds: number
  readonly reserved: ReservedUrls
  readonly report: OnEvent
  /** Called with problems to log; the text holds no secrets. */
  readonly onIssue: (message: string) => void
}

/** What accounts at one MCP server are connected and used with. */
export interface AccountSession extends AccountSessionOptions {
  readonly plan: OwnAccountPlan
  /** Reaches the MCP server, and what it names: on its own host or on the public internet. */
  readonly fetch: SafeFetch
  readonly servers: AccountServers
  readonly clients: AccountClients
  readonly tokens: AccountTokenEndpoint
  readonly connections: Connections
  readonly formatRedirectUri: (meeting: string) => string
  close(): Promise<void>
}

export function openAccountSession(plan: OwnAccountPlan, options: AccountSessionOptions): AccountSession {
  const { origin, store, encryption, clock, resolveHost, reserved } = options
  const { fetch, serverFetch, close } = openAccountFetch(plan, resolveHost)
  const clients = createAccountClients({ plan, origin, fetch: serverFetch, store, encryption, clock })
  return {
    ...options,
    plan,
    fetch,
    servers: createAccountServers(serverFetch, clock, { ...plan, reserved }),
    clients,
    tokens: createAccountTokenEndpoint(serverFetch, clients, clock),
    connections: openConnections(store, encryption),
    formatRedirectUri: (meeting) => formatAccountCallback(origin, meeting),
    close,
  }
}
