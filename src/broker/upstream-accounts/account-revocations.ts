import type { EgressPlan } from '../../core/plan/egress-plan.ts'
import { createSafeFetch, type SafeFetch } from '../../oauth/safe-fetch.ts'
import { createAccountClients } from './account-clients.ts'
import type { AccountPlace } from './account-places.ts'
import { createAccountServers } from './account-server.ts'
import type { AccountSession, AccountSessionOptions } from './account-session.ts'
import { createAccountTokenEndpoint } from './account-tokens.ts'
import type { AccountClient, Connection } from './connection.ts'
import { NO_RESERVED_URLS } from './reserved-urls.ts'

/** Has authorization servers of MCP servers revoke what was connected (RFC 7009), also where the configuration has them no more. */
export interface AccountRevocations {
  /**
   * Never rejects: here the account is gone, whatever the authorization server answers.
   *
   * @param place - the MCP server, as the configuration had it when the account was connected
   */
  revoke(connection: Connection, place: AccountPlace): Promise<void>
  /** Resolves once none is under way. */
  close(): Promise<void>
}

/** How authorization servers are reached that the configuration has no more. */
export interface FormerReach {
  /** Whether they may be in private networks. */
  readonly allowPrivateNetwork: boolean
  readonly ca: string | undefined
  readonly egress: EgressPlan
}

export interface AccountRevocationsOptions extends AccountSessionOptions {
  readonly formerReach: FormerReach
}

/** At a time. What is more is not revoked, and said to be so: ending users must not wait for strangers. One of them leaves room for others. */
const MAX_RUNNING = 64
const MAX_OF_SERVER = 32

type Revoking = Pick<AccountSession, 'servers' | 'tokens'>

export function createAccountRevocations(
  sessions: ReadonlyMap<string, AccountSession>,
  options: AccountRevocationsOptions,
): AccountRevocations {
  const former = openFormer(options)
  const running = new Map<Promise<void>, string>()
  const isFull = (server: string): boolean =>
    running.size >= MAX_RUNNING || [...running.values()].filter((one) => one === server).length >= MAX_OF_SERVER
  const choose = ({ server, upstreamUrl }: AccountPlace, { issuer, client }: Connection): Revoking => {
    const session = sessions.get(server)
    if (session === undefined) return former
    const { plan } = session
    // What another MCP server has named, at another URL, is not reached as what this one names.
    const isOurs = plan.issuer === undefined ? plan.upstreamUrl === upstreamUrl : plan.issuer === issuer
    // A client of the configuration authenticates with what the configuration has now, or not at all.
    return isOurs || (plan.issuer !== undefined && client.kind === 'configured') ? session : former
  }
  return {
    async revoke(connection, place) {
      const { server } = place
      const tell = createTelling(connection, server, options)
      if (isFull(server)) return tell.failed('too many others are being revoked')
      const work = revoke(connection, choose(place, connection), tell)
      running.set(work, server)
      await work.finally(() => running.delete(work))
    },
    async close() {
      await Promise.all(running.keys())
      await former.fetch.close()
    },
  }
}

/** Reaches no private addresses unless that is permitted: what named them is not in the configuration any more. */
function openFormer({ formerReach, resolveHost, clock, ...options }: AccountRevocationsOptions): Revoking & {
  readonly fetch: SafeFetch
} {
  const fetch = createSafeFetch({ issuer: undefined, ...formerReach, hidesPaths: true }, resolveHost)
  const plan = {
    server: '',
    upstreamUrl: '',
    headers: {},
    issuer: undefined,
    client: undefined,
    scopes: [],
    reservedOrigins: [],
    reserved: NO_RESERVED_URLS,
    ...formerReach,
  }
  const clients = createAccountClients({ ...options, plan, fetch, clock })
  return {
    fetch,
    servers: createAccountServers(fetch, clock, plan),
    tokens: createAccountTokenEndpoint(fetch, clients, clock),
  }
}

type Telling = ReturnType<typeof createTelling>

async function revoke({ issuer, client, tokens: issued }: Connection, { servers, tokens }: Revoking, tell: Telling) {
  try {
    // A public client is known by its name alone, whether or not the configuration still has it.
    const known: AccountClient = client.method === 'none' ? { ...client, kind: 'registered' } : client
    const isRevoked = await tokens.revoke(await servers.findToRevoke(issuer), known, issued)
    tell.over(isRevoked ? `revoked at ${issuer}` : `${issuer} revokes no tokens`)
  } catch (error) {
    tell.failed(error instanceof Error ? error.message : String(error))
  }
}

function createTelling({ subject, issuer, scopes }: Connection, server: string, { report, onIssue }: AccountSessionOptions) {
  const over = (detail: string) => report({ kind: 'account_ended', outcome: 'success', subject, server, scopes, detail })
  return {
    over,
    failed(why: string) {
      over(`not revoked at ${issuer}`)
      onIssue(`an account at ${server} was disconnected, but not revoked there: ${why}`)
    },
  }
}
