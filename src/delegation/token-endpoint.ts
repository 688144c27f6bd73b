import type { Clock } from '../core/clock.ts'
import type { TokenIssuerPlan } from '../core/plan/delegation-plan.ts'
import { createMetadataSource } from '../oauth/authorization-server-metadata.ts'
import { createClientAuthentication } from '../oauth/client-authentication.ts'
import { createIssuerFetch, type RawAnswer, readJsonObject } from '../oauth/safe-fetch.ts'
import { TokenRefusal } from './token-refusal.ts'

/** What a token endpoint gave. */
export interface IssuedToken {
  readonly token: string
  /** Milliseconds since the epoch; undefined where it does not say. */
  readonly expiresAt: number | undefined
}

/** What is asked for, and what the answer must be. */
export interface TokenQuestion {
  /** Parameters of the form; those with several values are repeated (RFC 8693 §2.1). */
  readonly parameters: readonly (readonly [name: string, value: string])[]
  /** `Bearer` for a token that is shown to an MCP server, `N_A` for one that is not (RFC 8693 §2.2.1). */
  readonly tokenType: 'Bearer' | 'N_A'
  /** `issued_token_type` that the answer must have if it has one; always, where the token type is `N_A`. */
  readonly issuedTokenTypes: readonly string[]
}

/** The token endpoint of an authorization server, and our client there. */
export interface TokenEndpoint {
  /**
   * @throws TokenRefusal where the authorization server refuses (RFC 6749 §5.2)
   * @throws Error where it does not answer, or answers nonsense
   */
  ask(question: TokenQuestion): Promise<IssuedToken>
  close(): Promise<void>
}

export function createTokenEndpoint(plan: TokenIssuerPlan, clock: Clock): TokenEndpoint {
  const { fetchRaw, fetchJson, close } = createIssuerFetch(plan)
  const metadata = createMetadataSource(plan, fetchJson, clock)
  const authenticate = createClientAuthentication(plan, plan.issuer, clock.wall)
  const findEndpoint = async () => {
    if (plan.tokenEndpoint !== undefined) return { url: plan.tokenEndpoint, namedBy: 'operator' as const }
    const { tokenEndpoint } = await metadata.load()
    if (tokenEndpoint === undefined) throw new Error(`the metadata of ${plan.issuer} names no token_endpoint`)
    return { url: tokenEndpoint, namedBy: 'metadata' as const }
  }
  return {
    close,
    async ask(question) {
      const { url, namedBy } = await findEndpoint()
      const { headers, parameters } = await authenticate()
      const body = new URLSearchParams([
        ...question.parameters.map(([name, value]): [string, string] => [name, value]),
        ...Object.entries(parameters),
      ])
      const type = { 'content-type': 'application/x-www-form-urlencoded' }
      const request = { namedBy, method: 'POST', body: body.toString(), headers: { ...type, ...headers } } as const
      try {
        return readAnswer(new URL(url), await fetchRaw(url, request), question, clock)
      } catch (error) {
        // The endpoint may have moved.
        if (!(error instanceof TokenRefusal)) metadata.forget()
        throw error
      }
    },
  }
}

/** Statuses with which authorization servers refuse (RFC 6749 §5.2); some use 403. */
const REFUSALS: ReadonlySet<number> = new Set([400, 401, 403])

function readAnswer(target: URL, answer: RawAnswer, question: TokenQuestion, clock: Clock): IssuedToken {
  const where = `${target.host}${target.pathname}`
  if (REFUSALS.has(answer.status))
    throw TokenRefusal.read(readJsonObject(target, answer)) ?? new Error(`${where}: status ${answer.status}`)
  if (answer.status !== 200) throw new Error(`${where}: status ${answer.status}`)
  const document = readJsonObject(target, answer)
  checkType(where, document, question)
  return { token: readToken(where, document), expiresAt: readEnd(where, document, clock) }
}

/** An access token in the place of an assertion would be shown to another authorization server, and the other way round. */
function checkType(
  where: string,
  document: Readonly<Record<string, unknown>>,
  { tokenType, issuedTokenTypes }: TokenQuestion,
): void {
  const { token_type: type, issued_token_type: issued } = document
  if (typeof type !== 'string' || type.toLowerCase() !== tokenType.toLowerCase())
    throw new Error(`${where}: the token_type is not ${tokenType}`)
  if (issued === undefined && tokenType === 'Bearer') return
  if (typeof issued !== 'string' || !issuedTokenTypes.includes(issued))
    throw new Error(`${where}: the issued_token_type is another one than was asked for`)
}

/** What a header can carry (`b64token` of RFC 6750 §2.1 and what servers issue besides), of a length that servers take. */
const TOKEN = /^[\x21-\x7e]{1,16384}$/

function readToken(where: string, { access_token: token }: Readonly<Record<string, unknown>>): string {
  if (typeof token === 'string' && TOKEN.test(token)) return token
  throw new Error(`${where}: the answer has no access_token that a header can carry`)
}

function readEnd(where: string, { expires_in: seconds }: Readonly<Record<string, unknown>>, clock: Clock): number | undefined {
  if (seconds === undefined || seconds === null) return undefined
  const count = typeof seconds === 'string' && /^\d{1,10}$/.test(seconds) ? Number(seconds) : seconds
  if (typeof count !== 'number' || !(count >= 0)) throw new Error(`${where}: expires_in is no number of seconds`)
  return clock.wall() + count * 1000
}
