import { BoundedMap } from '../core/bounded-map.ts'
import type { Clock } from '../core/clock.ts'
import { ProxyError } from '../core/errors.ts'
import { hashId } from '../core/hash-id.ts'
import type { DelegationPlan } from '../core/plan/delegation-plan.ts'
import { formatPrincipalKey } from '../core/principal.ts'
import type { Caller } from '../core/upstream-credential.ts'
import { TokenRefusal } from './token-refusal.ts'

/** What authorization servers refused. */
export interface Refusals {
  /** The refusal of this very token a moment ago, so that a client which repeats its call does not repeat the question. */
  recall(caller: Caller): ProxyError | undefined
  /** What a failure to get a token means to the caller. */
  explain(error: unknown, caller: Caller): ProxyError
}

const MAX_REMEMBERED = 10_000
/** For how long a refusal counts without asking again. */
const RECALL_MS = 10_000
/** So long after a caller was sent to sign in, a new token that is refused as well means that signing in does not help. */
const SIGN_IN_MS = 300_000
const RETRY_SECONDS = 5

interface Refused {
  readonly error: ProxyError
  readonly until: number
}

interface SentAway {
  readonly token: string
  readonly until: number
}

export function createRefusals(kind: DelegationPlan['kind'], clock: Clock): Refusals {
  const refused = new BoundedMap<string, Refused>(MAX_REMEMBERED)
  const sentAway = new BoundedMap<string, SentAway>(MAX_REMEMBERED)
  const askToSignIn = (cause: TokenRefusal, { principal, token }: Caller): ProxyError => {
    const [owner, digest, now] = [formatPrincipalKey(principal), hashId(token), clock.monotonic()]
    const before = sentAway.get(owner)
    if (before !== undefined && now < before.until && before.token !== digest)
      return new ProxyError('upstream_token_refused', { reason: 'refused_again', cause })
    if (before === undefined || now >= before.until) sentAway.set(owner, { token: digest, until: now + SIGN_IN_MS })
    return new ProxyError('token_invalid', { reason: 'delegation_refused', cause })
  }
  return {
    recall({ token }) {
      // Most callers are never refused: then nothing is hashed.
      const found = refused.size === 0 ? undefined : refused.get(hashId(token))
      return found !== undefined && clock.monotonic() < found.until ? found.error : undefined
    },
    explain(error, caller) {
      if (error instanceof ProxyError) return error
      if (!(error instanceof TokenRefusal)) return unavailable(error)
      const meaning = findMeaning(error, kind)
      if (meaning === 'unavailable') return unavailable(error)
      const explained = meaning === 'sign_in' ? askToSignIn(error, caller) : createRefusal(meaning, error)
      refused.set(hashId(caller.token), { error: explained, until: clock.monotonic() + RECALL_MS })
      return explained
    },
  }
}

type Meaning = 'sign_in' | 'interaction_required' | 'access_denied' | 'misconfigured' | 'unavailable'

/** What the user can only settle with the authorization server itself (OpenID Connect Core §3.1.2.6). */
const INTERACTIONS = ['interaction_required', 'login_required', 'consent_required', 'account_selection_required']
/** The same in what Entra ID adds to `invalid_grant`. */
const SUBERRORS = ['consent_required', 'basic_action', 'additional_action', 'protection_policy_required', 'message_only']

const MEANINGS = new Map<string, Meaning>([
  ...INTERACTIONS.map((error) => [error, 'interaction_required'] as const),
  ['insufficient_user_authentication', 'interaction_required'],
  ['access_denied', 'access_denied'],
  ['server_error', 'unavailable'],
  ['temporarily_unavailable', 'unavailable'],
  ['slow_down', 'unavailable'],
])

/** Of a token that stands for a user: it is not, or no longer, good there (RFC 6749 §5.2; for an exchange RFC 8693 §2.2.2). */
const OF_SUBJECT: Readonly<Record<DelegationPlan['kind'], readonly string[]>> = {
  token_exchange: ['invalid_grant', 'invalid_request', 'invalid_token'],
  identity_assertion: ['invalid_grant', 'invalid_request', 'invalid_token'],
  on_behalf_of: ['invalid_grant'],
  client_credentials: [],
}

function findMeaning({ error, suberror }: TokenRefusal, kind: DelegationPlan['kind']): Meaning {
  if (suberror !== undefined && SUBERRORS.includes(suberror)) return 'interaction_required'
  return MEANINGS.get(error) ?? (OF_SUBJECT[kind].includes(error) ? 'sign_in' : 'misconfigured')
}

function createRefusal(meaning: Exclude<Meaning, 'sign_in' | 'unavailable'>, cause: TokenRefusal): ProxyError {
  if (meaning === 'misconfigured') return new ProxyError('upstream_token_misconfigured', { cause })
  return new ProxyError('upstream_token_refused', { reason: meaning, cause })
}

function unavailable(cause: unknown): ProxyError {
  return new ProxyError('upstream_token_unavailable', { cause, retryAfter: RETRY_SECONDS })
}
