import { BoundedMap } from '../../core/bounded-map.ts'
import type { Kept } from '../../core/encrypted-collection.ts'
import { ProxyError } from '../../core/errors.ts'
import { hashId } from '../../core/hash-id.ts'
import { withStoreLock } from '../storage/store-lock.ts'
import { AccountError } from './account-error.ts'
import type { AccountSession } from './account-session.ts'
import { TOKEN_DEADLINE_MS } from './account-tokens.ts'
import { type Connection, nameConnection } from './connection.ts'

/** The tokens of users for one MCP server, as they are good now. */
export interface ConnectedTokens {
  /**
   * @returns undefined where the user has no account connected, or not any more
   * @throws ProxyError `upstream_token_unavailable`, `upstream_token_misconfigured`
   */
  find(subject: string): Promise<string | undefined>
  /** The MCP server has answered 401 to this token. */
  noteRefusal(subject: string, token: string): Promise<void>
  /** Has the next call ask the store. */
  forget(subject: string): void
  /** Resolves once no refresh is under way: its answer may have the only valid refresh token. */
  settle(): Promise<void>
}

/** How long a token is used without asking the store. What is disconnected in this process counts at once. */
const KEEP_MS = 5_000
const MAX_KEPT = 10_000
/** A call that begins now should end with the same token. */
const EARLY_MS = 30_000
const EARLY_PART = 0.1
/** Longest that a call waits for a refresh, its own or that of another process. */
const WAIT_MS = 10_000
/** Beyond the bound of a refresh, so that another process does not show the same refresh token. */
const LOCK_MS = TOKEN_DEADLINE_MS + 5_000
/** From the request for a refresh until its answer is stored. */
const REFRESH_MS = TOKEN_DEADLINE_MS + 1_000
const RETRY_SECONDS = 5
/** Between two attempts to store what was issued. */
const STORE_AGAIN_MS = 500

interface Tokens {
  readonly session: AccountSession
  readonly flights: Map<string, Promise<Connection | undefined>>
  /** What was issued and could not be stored, by the grant that the store has: its refresh token is used up. */
  readonly unstored: BoundedMap<string, Connection>
}

/** While this process has the lock. */
interface Turn extends Tokens {
  /** By the monotonic clock. */
  readonly heldUntil: number
}

export function createConnectedTokens(session: AccountSession): ConnectedTokens {
  const { plan, clock } = session
  const recent = new BoundedMap<string, { readonly token: string; readonly until: number }>(MAX_KEPT)
  const tokens: Tokens = { session, flights: new Map(), unstored: new BoundedMap(MAX_KEPT) }
  // An answer of the store that was under way while something ended may be outdated.
  let endings = 0
  const forget = (name: string): void => {
    endings += 1
    recent.delete(name)
  }
  return {
    async find(subject) {
      const name = nameConnection(subject, plan)
      const known = recent.get(name)
      if (known !== undefined && clock.monotonic() < known.until) return known.token
      const began = endings
      const connection = await findCurrent(name, tokens)
      if (connection === undefined) return undefined
      const { accessToken, expiresAt = Number.POSITIVE_INFINITY } = connection.tokens
      const until = clock.monotonic() + Math.min(KEEP_MS, expiresAt - clock.wall())
      if (began === endings) recent.set(name, { token: accessToken, until })
      return accessToken
    },
    async noteRefusal(subject, token) {
      const name = nameConnection(subject, plan)
      forget(name)
      await note(name, token, session)
    },
    forget: (subject) => forget(nameConnection(subject, plan)),
    async settle() {
      await Promise.allSettled(tokens.flights.values())
    },
  }
}

async function findCurrent(name: string, tokens: Tokens): Promise<Connection | undefined> {
  const { session } = tokens
  const connection = await load(name, session)
  if (connection === undefined || !isDue(connection, session)) return connection
  try {
    return await waitFor(refreshOnce(name, tokens), session)
  } catch (error) {
    if (!(error instanceof ProxyError) || error.code !== 'upstream_token_unavailable') throw error
    // Asked anew: the account may have been disconnected while this call waited.
    const now = await load(name, session)
    if (now === undefined || isGood(now, session)) return now
    throw error
  }
}

async function load(name: string, { connections, plan }: AccountSession): Promise<Connection | undefined> {
  const connection = await connections.find(name)
  return plan.issuer === undefined || connection?.issuer === plan.issuer ? connection : undefined
}

/** A token that is good for a moment is used where no other can be had right now. */
function isGood({ tokens, standing }: Connection, { clock }: AccountSession): boolean {
  return standing !== 'refused' && clock.wall() < (tokens.expiresAt ?? Number.POSITIVE_INFINITY)
}

/** Whether the token is over, or about to be, or refused. Without a refresh token it is used to its end. */
function isDue({ tokens, standing }: Connection, { clock }: AccountSession): boolean {
  const { expiresAt, issuedAt, refreshToken } = tokens
  if (standing === 'refused') return true
  if (expiresAt === undefined) return false
  const early = refreshToken === undefined ? 0 : Math.min(EARLY_MS, (expiresAt - issuedAt) * EARLY_PART)
  return clock.wall() >= expiresAt - early
}

/** One request for all callers that wait, of all processes: an authorization server that rotates refresh tokens takes two for theft. */
function refreshOnce(name: string, tokens: Tokens): Promise<Connection | undefined> {
  const { session, flights } = tokens
  const { store, clock } = session
  const lock = { store, clock, kind: 'AccountRefreshLock', expiresMs: LOCK_MS, waitMs: WAIT_MS, createError: unavailable }
  const flight =
    flights.get(name) ??
    withStoreLock(hashId(name), (heldUntil) => refreshWhereDue(name, { ...tokens, heldUntil }), lock).finally(() =>
      flights.delete(name),
    )
  flights.set(name, flight)
  return flight
}

async function refreshWhereDue(name: string, turn: Turn): Promise<Connection | undefined> {
  const { session, unstored } = turn
  const seen = await session.connections.look(name)
  if (seen === undefined || !isDue(seen.value, session)) return seen?.value
  const latest = unstored.get(nameGrant(name, seen.value)) ?? seen.value
  if (!isDue(latest, session)) return keep(name, seen, latest, turn)
  const { refreshToken } = latest.tokens
  if (refreshToken === undefined) return conclude(name, seen, 'its token is over, and there is no refresh token', session)
  try {
    return await keep(name, seen, await refresh(latest, refreshToken, turn), turn)
  } catch (error) {
    if (!(error instanceof AccountError)) throw error
    const isGone = error.kind === 'client_unknown' && latest.client.kind === 'registered'
    if (error.kind === 'ended' || isGone) return conclude(name, seen, error.message, session)
    throw explain(error, latest, session)
  }
}

async function refresh(before: Connection, refreshToken: string, { session, heldUntil }: Turn): Promise<Connection> {
  const server = await session.servers.findToRefresh(before.issuer)
  // Once the lock has expired, another process shows the same refresh token.
  if (session.clock.monotonic() + REFRESH_MS > heldUntil)
    throw new AccountError('unavailable', 'its metadata came too late for a refresh under this lock')
  const grant = { grant_type: 'refresh_token', refresh_token: refreshToken, resource: before.resource }
  const issued = await session.tokens.request(server, before.client, grant)
  session.report({ kind: 'upstream_token_issued', outcome: 'success', ...describe(before, session) })
  return {
    ...before,
    // An answer that does not speak of a refresh token leaves the one that there is (RFC 6749 §6).
    tokens: { ...issued, refreshToken: issued.refreshToken ?? refreshToken },
    scopes: issued.scopes ?? before.scopes,
    standing: before.standing === 'refused' ? 'renewed' : 'good',
  }
}

/** Stores what was issued before it is used. @throws Error of the store, after which this process still has it */
async function keep(name: string, seen: Kept<Connection>, fresh: Connection, turn: Turn): Promise<Connection | undefined> {
  const { session, unstored } = turn
  const grant = nameGrant(name, seen.value)
  unstored.set(grant, fresh)
  const isKept = await replaceInTurn(name, seen, fresh, turn)
  const now = isKept ? undefined : await session.connections.look(name)
  // The MCP server has refused the token before meanwhile: the entry says so, and its refresh token is used up.
  if (now !== undefined && nameGrant(name, now.value) === grant) return keep(name, now, fresh, turn)
  unstored.delete(grant)
  // The store may have done what it did not confirm.
  if (isKept || now?.value.tokens.accessToken === fresh.tokens.accessToken) return fresh
  // Disconnected or connected anew meanwhile: what was just issued is not for use.
  await revokeUnused(fresh, session)
  return now?.value
}

/** Tries again while the store is away: with the lock, another process would get the refresh token that is used up. */
async function replaceInTurn(
  name: string,
  seen: Kept<Connection>,
  fresh: Connection,
  { session: { connections, clock }, heldUntil }: Turn,
): Promise<boolean> {
  for (;;) {
    try {
      return (await connections.replace(name, seen, fresh)) !== undefined
    } catch (error) {
      if (clock.monotonic() + STORE_AGAIN_MS > heldUntil) throw error
      await new Promise<void>((resolve) => void clock.after(STORE_AGAIN_MS, resolve))
    }
  }
}

async function revokeUnused({ issuer, client, tokens: issued }: Connection, session: AccountSession): Promise<void> {
  const { servers, tokens, plan, onIssue } = session
  const revoked = servers.findToRevoke(issuer).then((server) => tokens.revoke(server, client, issued))
  await revoked.catch((error: Error) => onIssue(`${plan.server}: ${error.message}`))
}

/** What one refresh token stands for: whether the MCP server still takes the access token makes no difference. */
function nameGrant(name: string, { connectedAt, tokens }: Connection): string {
  return JSON.stringify([name, connectedAt, tokens.refreshToken])
}

/** The account is not connected any more, unless it was connected anew meanwhile. */
async function conclude(
  name: string,
  seen: Kept<Connection>,
  why: string,
  session: AccountSession,
): Promise<Connection | undefined> {
  if (!(await session.connections.drop(name, seen))) return session.connections.find(name)
  session.report({ kind: 'account_ended', outcome: 'success', ...describe(seen.value, session), detail: why })
  return undefined
}

function explain(error: AccountError, connection: Connection, session: AccountSession): ProxyError {
  const refusal =
    error.kind === 'unavailable' ? unavailable(error) : new ProxyError('upstream_token_misconfigured', { cause: error })
  session.report({ kind: 'upstream_token_issued', outcome: refusal.code, ...describe(connection, session) })
  return refusal
}

function describe({ subject, issuer, scopes }: Connection, { plan }: AccountSession) {
  return { subject, server: plan.server, scopes, detail: `own_account at ${issuer}` }
}

function unavailable(cause: unknown = 'another process has held the refresh lock for too long'): ProxyError {
  return new ProxyError('upstream_token_unavailable', { cause, retryAfter: RETRY_SECONDS })
}

async function note(name: string, token: string, session: AccountSession): Promise<void> {
  const { connections } = session
  const seen = await connections.look(name)
  // A newer token is not what was refused.
  if (seen === undefined || seen.value.tokens.accessToken !== token || seen.value.standing === 'refused') return
  if (seen.value.standing === 'good' && seen.value.tokens.refreshToken !== undefined)
    await connections.replace(name, seen, { ...seen.value, standing: 'refused' })
  else await conclude(name, seen, 'the MCP server does not accept its token any more', session)
}

/** Stops waiting in time, and lets the request go on: its answer may have the only valid refresh token. */
function waitFor<T>(work: Promise<T>, { clock }: AccountSession): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = clock.after(WAIT_MS, () => reject(unavailable('the token endpoint has not answered in time')))
    work.then(resolve, reject).finally(stop)
  })
}
