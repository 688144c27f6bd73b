import type { Clock } from '../../core/clock.ts'
import { type RawAnswer, readJsonObject, type SafeFetch } from '../../oauth/safe-fetch.ts'
import type { AccountClients } from './account-clients.ts'
import { AccountError, type AccountErrorKind, quoteUntrusted } from './account-error.ts'
import type { AccountServer } from './account-server.ts'
import type { AccountClient, AccountTokens } from './connection.ts'
import { ask, readScopes } from './discovery.ts'

/** The token endpoints of authorization servers of MCP servers. All methods throw {@link AccountError}. */
export interface AccountTokenEndpoint {
  /** @param parameters - of the grant (RFC 6749 §4.1.3, §6) */
  request(server: AccountServer, client: AccountClient, parameters: Readonly<Record<string, string>>): Promise<AccountTokens>
  /** Revokes a token (RFC 7009 §2.1). Returns false where there is no endpoint for that. */
  revoke(server: AccountServer, client: AccountClient, tokens: AccountTokens): Promise<boolean>
}

/** Until a token endpoint has answered: where refresh tokens are single-use, its answer has the only valid one. */
export const TOKEN_DEADLINE_MS = 20_000

export function createAccountTokenEndpoint(fetch: SafeFetch, clients: AccountClients, clock: Clock): AccountTokenEndpoint {
  const createForm = async (server: AccountServer, client: AccountClient, form: Readonly<Record<string, string>>) => {
    const { headers, parameters } = await clients.authenticate(client, server.issuer)
    const type = { 'content-type': 'application/x-www-form-urlencoded' }
    const body = new URLSearchParams({ ...form, ...parameters }).toString()
    return { namedBy: 'metadata', method: 'POST', body, headers: { ...type, ...headers } } as const
  }
  return {
    request: (server, client, parameters) =>
      ask('the token endpoint', async () => {
        const form = await createForm(server, client, parameters)
        const issuedAt = clock.wall()
        const answer = await fetch.fetchRaw(server.tokenEndpoint, { ...form, deadlineMs: TOKEN_DEADLINE_MS })
        return readTokens(server, answer, issuedAt)
      }),
    revoke: (server, client, tokens) =>
      ask('the revocation endpoint', async () => {
        const { revocationEndpoint: url } = server
        if (url === undefined) return false
        const { accessToken, refreshToken } = tokens
        // With a refresh token, its access tokens go, too.
        const [token, hint] = refreshToken === undefined ? [accessToken, 'access_token'] : [refreshToken, 'refresh_token']
        const { status } = await fetch.fetchRaw(url, await createForm(server, client, { token, token_type_hint: hint }))
        if (status !== 200) throw new Error(`status ${status}`)
        return true
      }),
  }
}

/** What a header can carry, of a length that servers take. */
const TOKEN = /^[\x21-\x7e]{1,16384}$/

function readTokens({ tokenEndpoint }: AccountServer, answer: RawAnswer, issuedAt: number): AccountTokens {
  const target = new URL(tokenEndpoint)
  const where = `${target.host}${target.pathname}`
  if (answer.status >= 500) throw new Error(`${where}: status ${answer.status}`)
  const document = readJsonObject(target, answer)
  const { access_token: token, token_type: type = 'Bearer', refresh_token: next, scope } = document
  // GitHub tells errors with status 200.
  if (answer.status !== 200 || typeof document.error === 'string') throw readRefusal(where, answer.status, document)
  if (typeof type !== 'string' || type.toLowerCase() !== 'bearer') throw new Error(`${where}: the token_type is not Bearer`)
  if (typeof token !== 'string' || !TOKEN.test(token)) throw new Error(`${where}: no access_token that a header can carry`)
  return {
    accessToken: token,
    refreshToken: typeof next === 'string' && TOKEN.test(next) ? next : undefined,
    expiresAt: readEnd(where, document.expires_in, issuedAt),
    issuedAt,
    scopes: typeof scope === 'string' ? readScopes(scope) : undefined,
  }
}

/** Of the grant itself (RFC 6749 §5.2). */
const OVER = new Set(['invalid_grant', 'bad_refresh_token', 'access_denied', 'invalid_token'])
/** Passing. */
const LATER = new Set(['server_error', 'temporarily_unavailable', 'slow_down'])

function readRefusal(where: string, status: number, { error }: Readonly<Record<string, unknown>>): AccountError {
  return new AccountError(chooseKind(error, status), `${where} answers ${quoteUntrusted(error)}, status ${status}`)
}

function chooseKind(error: unknown, status: number): AccountErrorKind {
  if (typeof error !== 'string' || status === 429 || LATER.has(error)) return 'unavailable'
  if (error === 'invalid_client' || error === 'unauthorized_client') return 'client_unknown'
  return OVER.has(error) ? 'ended' : 'unusable'
}

function readEnd(where: string, seconds: unknown, issuedAt: number): number | undefined {
  if (seconds === undefined || seconds === null) return undefined
  const count = typeof seconds === 'string' && /^\d{1,10}$/.test(seconds) ? Number(seconds) : seconds
  if (typeof count !== 'number' || !(count >= 0)) throw new Error(`${where}: expires_in is no number of seconds`)
  return issuedAt + count * 1000
}
