import { BoundedMap } from '../core/bounded-map.ts'
import type { Clock } from '../core/clock.ts'
import type { Caller } from '../core/upstream-credential.ts'
import { formatOwner } from './authority.ts'
import type { IssuedToken } from './token-endpoint.ts'

/** Tokens that were issued, each for callers of one authority, or for one token that names no user. */
export interface IssuedTokens {
  /** @throws what issuing throws; failures are not kept */
  find(caller: Caller): Promise<string>
  forget(caller: Caller): void
}

export interface IssuedTokensOptions {
  readonly clock: Clock
  readonly issue: (caller: Caller) => Promise<IssuedToken>
  /** Whether the token is the same for all callers. */
  readonly isShared: boolean
}

const MAX_TOKENS = 10_000
/** A token is taken for over so long before its end, and never for more than a tenth of its life: a call takes its time. */
const EARLY_MS = 30_000
const EARLY_PART = 0.1
/** Where the authorization server does not say how long a token is good (RFC 6749 §5.1). */
const ASSUMED_MS = 60_000

interface Entry {
  readonly token: string
  /** Milliseconds since the epoch. */
  readonly until: number
}

/** One request for all that need the same token at the same time; a token is kept until shortly before its end, and never beyond that of its caller. */
export function createIssuedTokens({ clock, issue, isShared }: IssuedTokensOptions): IssuedTokens {
  const entries = new BoundedMap<string, Entry>(MAX_TOKENS)
  const running = new Map<string, Promise<string>>()
  const nameOwner = (caller: Caller) => (isShared ? '' : formatOwner(caller))
  const fetch = async (owner: string, caller: Caller): Promise<string> => {
    const askedAt = clock.wall()
    const issued = await issue(caller)
    const until = findEnd(issued, askedAt, isShared ? undefined : caller.principal.expiresAt * 1000)
    if (until > askedAt) entries.set(owner, { token: issued.token, until })
    return issued.token
  }
  return {
    async find(caller) {
      const owner = nameOwner(caller)
      const entry = entries.get(owner)
      if (entry !== undefined && clock.wall() < entry.until) return entry.token
      // A newer token of the same caller must not share the refusal of an older one.
      const flight = isShared ? owner : `${owner} ${caller.token}`
      const asked = running.get(flight) ?? fetch(owner, caller).finally(() => running.delete(flight))
      running.set(flight, asked)
      return asked
    },
    forget: (caller) => void entries.delete(nameOwner(caller)),
  }
}

function findEnd({ expiresAt }: IssuedToken, askedAt: number, callerEnds = Number.POSITIVE_INFINITY): number {
  const lifetime = expiresAt === undefined ? ASSUMED_MS : expiresAt - askedAt
  return Math.min(askedAt + lifetime - Math.min(EARLY_MS, lifetime * EARLY_PART), callerEnds)
}
