import { BoundedMap } from '../core/bounded-map.ts'
import type { Clock } from '../core/clock.ts'
import { ProxyError } from '../core/errors.ts'
import { createFairLimiter, type FairLimiter } from '../core/fair-limiter.ts'
import type { IntrospectionPlan } from '../core/plan/issuer-plan.ts'
import type { MetadataSource } from './authorization-server-metadata.ts'
import type { Claims } from './claims.ts'
import { type AuthenticateClient, createClientAuthentication } from './client-authentication.ts'
import type { SafeFetch } from './safe-fetch.ts'

/** Asks an authorization server about opaque tokens (RFC 7662). */
export interface Introspection {
  /**
   * @param token - the token's exact characters
   * @param digest - of the token, under which answers are kept
   * @param asker - network of the client; askers take turns when there are many questions
   * @returns what the answer says of the token; undefined when it is not active
   * @throws ProxyError `issuer_unavailable`
   */
  introspect(token: string, digest: string, asker: string): Promise<Claims | undefined>
  /** How many questions were asked. */
  count(): number
}

export interface IntrospectionOptions {
  readonly plan: IntrospectionPlan
  readonly issuer: string
  readonly metadata: MetadataSource
  readonly fetchJson: SafeFetch['fetchJson']
  readonly clock: Clock
}

const MAX_REMEMBERED = 10_000
const MAX_CONCURRENT = 32
const MAX_WAITING = 1_000
const RETRY_SECONDS = 5
/** For how long a token that was active has its questions asked first. */
const KNOWN_MS = 3_600_000

/** Creates the introspection of one issuer. Requests about the same token share one answer. */
export function createIntrospection(options: IntrospectionOptions): Introspection {
  const { plan, issuer, clock } = options
  const authenticate = createClientAuthentication(plan, issuer, clock.wall)
  const limiter = createFairLimiter(MAX_CONCURRENT, MAX_WAITING)
  const inactive = createRecentTokens(plan.negativeCacheSeconds * 1000, clock)
  const active = createRecentTokens(KNOWN_MS, clock)
  const running = new Map<string, Promise<Claims | undefined>>()
  let asked = 0
  return {
    count: () => asked,
    introspect(token, digest, asker) {
      if (inactive.has(digest)) return Promise.resolve(undefined)
      const joined = running.get(digest)
      if (joined !== undefined) return joined
      // Tokens that were active before go first, so that a flood of invented tokens does not delay users.
      const turn = active.has(digest) ? undefined : asker
      asked++
      const answer = ask(options, authenticate, limiter, { token, turn }).finally(() => running.delete(digest))
      running.set(digest, answer)
      return answer.then((claims) => {
        if (claims === undefined) inactive.add(digest)
        else active.add(digest)
        return claims
      })
    },
  }
}

async function ask(
  options: IntrospectionOptions,
  authenticate: AuthenticateClient,
  limiter: FairLimiter,
  { token, turn }: { readonly token: string; readonly turn: string | undefined },
): Promise<Claims | undefined> {
  try {
    const { document } = await limiter.run(() => send(options, authenticate, token), turn)
    // RFC 7662 §2.2: a boolean. `"true"` is not active.
    return document.active === true ? document : undefined
  } catch (cause) {
    throw new ProxyError('issuer_unavailable', { reason: 'introspection_failed', cause, retryAfter: RETRY_SECONDS })
  }
}

async function send({ plan, metadata, fetchJson }: IntrospectionOptions, authenticate: AuthenticateClient, token: string) {
  const { headers, parameters } = await authenticate()
  const form = new URLSearchParams({ token, token_type_hint: 'access_token', ...parameters })
  if (plan.endpoint !== undefined) return fetchJson(plan.endpoint, { namedBy: 'operator', form, headers })
  const { introspectionEndpoint } = await metadata.load()
  if (introspectionEndpoint === undefined) throw new Error('the metadata names no introspection_endpoint')
  try {
    return await fetchJson(introspectionEndpoint, { namedBy: 'metadata', form, headers })
  } catch (error) {
    // The endpoint may have moved.
    metadata.forget()
    throw error
  }
}

/** Remembers tokens for a while, in bounded memory. */
function createRecentTokens(keepMs: number, clock: Clock) {
  const until = new BoundedMap<string, number>(MAX_REMEMBERED)
  return {
    has: (digest: string): boolean => clock.monotonic() < (until.get(digest) ?? Number.NEGATIVE_INFINITY),
    add(digest: string): void {
      if (keepMs > 0) until.set(digest, clock.monotonic() + keepMs)
    },
  }
}
