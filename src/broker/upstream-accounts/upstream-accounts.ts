import type { OwnAccountPlan } from '../../core/plan/own-account-plan.ts'
import { AccountError } from './account-error.ts'
import { type AccountPlaces, createAccountPlaces } from './account-places.ts'
import { type AccountRevocations, type AccountRevocationsOptions, createAccountRevocations } from './account-revocations.ts'
import { type AccountSession, openAccountSession } from './account-session.ts'
import { type ConnectedTokens, createConnectedTokens } from './connected-tokens.ts'
import { beginConnection, findAccountHost, finishConnection, type PendingConnection } from './connecting.ts'
import { type Connection, type Connections, nameConnection, openConnections } from './connection.ts'

/** The accounts of users at MCP servers that have an authorization server of their own. */
export interface UpstreamAccounts {
  /** Names of those MCP servers. */
  readonly servers: readonly string[]
  /** Undefined for an MCP server that has no such accounts. */
  find(server: string): UpstreamAccount | undefined
  /** Deletes all that a user has connected, and has it revoked in the background. */
  endAll(subject: string): Promise<void>
  close(): Promise<void>
}

/** The accounts at one MCP server. */
export interface UpstreamAccount {
  readonly plan: OwnAccountPlan
  readonly tokens: ConnectedTokens
  /** What a user has connected, as it is stored. */
  look(subject: string): Promise<Connection | undefined>
  /**
   * Where to send a user, and what the answer is held against.
   *
   * @param more - scopes beside the usual ones
   * @throws AccountError
   */
  begin(more: readonly string[]): Promise<{ readonly url: URL; readonly pending: PendingConnection }>
  /**
   * Takes the answer with which a user came back, and keeps what it gives.
   *
   * @throws AccountError
   */
  finish(subject: string, pending: PendingConnection, answer: URLSearchParams): Promise<void>
  /**
   * The host to which users go to connect an account.
   *
   * @throws AccountError
   */
  findHost(): Promise<string>
  /** Deletes what a user has connected, and revokes it there (RFC 7009). Returns whether there was anything. */
  disconnect(subject: string): Promise<boolean>
}

const groupOfConnections = (subject: string): string => `connections:${subject}`

/** @param plans - one for each MCP server */
export function createUpstreamAccounts(plans: readonly OwnAccountPlan[], options: AccountRevocationsOptions): UpstreamAccounts {
  const sessions = new Map(plans.map((plan) => [plan.server, openAccountSession(plan, options)]))
  const revocations = createAccountRevocations(sessions, options)
  const places = createAccountPlaces({ ...options, nameGroup: groupOfConnections })
  const shared = { revocations, places, connections: openConnections(options.store, options.encryption) }
  const accounts = new Map([...sessions].map(([name, session]) => [name, createUpstreamAccount(session, shared)]))
  return {
    servers: [...accounts.keys()],
    find: (server) => accounts.get(server)?.account,
    async endAll(subject) {
      for (const { end } of accounts.values()) await end(subject)
      await endFormer(subject, shared)
      await options.store.deleteGroup(groupOfConnections(subject))
    },
    async close() {
      await Promise.all([...accounts.values()].map(({ account }) => account.tokens.settle()))
      await revocations.close()
      await Promise.all([...sessions.values()].map((session) => session.close()))
    },
  }
}

interface Shared {
  readonly revocations: AccountRevocations
  readonly places: AccountPlaces
  readonly connections: Connections
}

/** What was connected at MCP servers that the configuration has no more, or has at another URL. */
async function endFormer(subject: string, { revocations, places, connections }: Shared): Promise<void> {
  for (const place of await places.list(subject)) {
    const connection = await connections.take(nameConnection(subject, place))
    if (connection !== undefined) void revocations.revoke(connection, place)
  }
}

function createUpstreamAccount(session: AccountSession, shared: Shared) {
  const { plan, connections } = session
  const { revocations } = shared
  const tokens = createConnectedTokens(session)
  const end = async (subject: string) => {
    const connection = await connections.take(nameConnection(subject, plan))
    tokens.forget(subject)
    return connection && { revoked: revocations.revoke(connection, plan) }
  }
  const account: UpstreamAccount = {
    plan,
    tokens,
    look: (subject) => connections.find(nameConnection(subject, plan)),
    findHost: () => findAccountHost(session),
    begin: (more) => beginConnection(session, more),
    async finish(subject, pending, answer) {
      if (pending.upstreamUrl !== plan.upstreamUrl)
        throw new AccountError('suspicious', 'the MCP server has another address than when the user was sent away')
      await save(subject, pending, await finishConnection(session, pending, answer), session, shared)
      tokens.forget(subject)
    },
    async disconnect(subject) {
      const ended = await end(subject)
      await ended?.revoked
      return ended !== undefined
    },
  }
  return { account, end }
}

/** For as long as the sign-in that a user connects it for, and as long again, so that the next sign-in finds it. */
async function save(
  subject: string,
  { issuer, resource, client, scopes }: PendingConnection,
  tokens: Connection['tokens'],
  { connections, plan, clock, grantSeconds, report }: AccountSession,
  { places, revocations }: Shared,
): Promise<void> {
  const granted = tokens.scopes ?? scopes
  const connectedAt = clock.wall()
  const connection: Connection = { subject, issuer, resource, client, tokens, scopes: granted, connectedAt, standing: 'good' }
  const expiresAt = connectedAt + 2 * grantSeconds * 1000
  await places.note(subject, plan, expiresAt)
  const name = nameConnection(subject, plan)
  const before = await connections.find(name)
  await connections.put(name, connection, { expiresAt, groups: [groupOfConnections(subject)] })
  report({ kind: 'account_connected', outcome: 'success', subject, server: plan.server, scopes: granted, detail: `at ${issuer}` })
  // With one client at one authorization server, many take what they issued for one grant, and revoke all of it.
  const isElsewhere = before !== undefined && (before.issuer !== issuer || before.client.clientId !== client.clientId)
  if (isElsewhere) void revocations.revoke(before, plan)
}
