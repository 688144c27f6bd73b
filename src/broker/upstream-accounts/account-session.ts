import { formatAccountCallback } from '../../core/account-meeting.ts'
import { findAddressLiteral, isLoopbackHost, isPublicAddress } from '../../core/addresses.ts'
import type { Clock } from '../../core/clock.ts'
import type { Encryption } from '../../core/encryption.ts'
import type { OwnAccountPlan } from '../../core/plan/own-account-plan.ts'
import type { OnEvent } from '../../core/security-event.ts'
import type { Store } from '../../core/store.ts'
import type { ResolveHost } from '../../oauth/resolve-host.ts'
import { createSafeFetch, type SafeFetch } from '../../oauth/safe-fetch.ts'
import { type AccountClients, createAccountClients } from './account-clients.ts'
import { type AccountServers, createAccountServers } from './account-server.ts'
import { type AccountTokenEndpoint, createAccountTokenEndpoint } from './account-tokens.ts'
import { type Connections, openConnections } from './connection.ts'

export interface AccountSessionOptions {
  /** Our public URL. */
  readonly origin: string
  readonly store: Store
  readonly encryption: Encryption
  readonly clock: Clock
  readonly resolveHost: ResolveHost | undefined
  /** Seconds after which a user signs in anew. */
  readonly grantSeconds: number
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
  const { origin, store, encryption, clock, resolveHost } = options
  const { allowPrivateNetwork, ca, egress, issuer, upstreamUrl } = plan
  const open = (whose: string | undefined) =>
    createSafeFetch({ issuer: whose, allowPrivateNetwork, ca, egress, hidesPaths: true }, resolveHost)
  const fetch = open(allowPrivateNetwork || isPrivateByName(upstreamUrl) ? upstreamUrl : undefined)
  // What the configuration names may be where the MCP server itself may not lead us.
  const serverFetch = issuer === undefined ? fetch : open(issuer)
  const clients = createAccountClients({ plan, origin, fetch: serverFetch, store, encryption, clock })
  return {
    ...options,
    plan,
    fetch,
    servers: createAccountServers(serverFetch, clock, issuer),
    clients,
    tokens: createAccountTokenEndpoint(serverFetch, clients, clock),
    connections: openConnections(store, encryption),
    formatRedirectUri: (meeting) => formatAccountCallback(origin, meeting),
    async close() {
      await Promise.all([...new Set([fetch, serverFetch])].map((one) => one.close()))
    },
  }
}

/**
 * Whether an MCP server is in a private network by how the configuration writes it. What its name resolves to says nothing: its own name servers
 * could say one thing for it and another for what it names.
 */
function isPrivateByName(url: string): boolean {
  const { hostname } = new URL(url)
  const literal = findAddressLiteral(hostname)
  return isLoopbackHost(hostname) || (literal !== undefined && !isPublicAddress(literal))
}
