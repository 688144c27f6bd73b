import type { Clock } from '../core/clock.ts'
import type { SafeFetch } from '../oauth/safe-fetch.ts'
import { type AsgardeoAnswer, readAnswer } from './asgardeo-answer.ts'
import { AsgardeoError, quoteUntrusted } from './asgardeo-error.ts'

/** The access token with which the management interfaces are called. */
export interface AdminToken {
  /** @throws AsgardeoError */
  obtain(): Promise<string>
  /** Forgets a token that was refused. */
  drop(token: string): void
}

export interface AdminTokenOptions {
  /** Address of the organization, without a final slash. */
  readonly base: string
  readonly clientId: string
  readonly clientSecret: string
  /** Permissions to ask for; what is granted may be less. */
  readonly scopes: readonly string[]
  readonly outboundFetch: SafeFetch
  readonly clock: Clock
}

/** A token is not used any more this long before it ends. */
const EARLY_MS = 30_000
/** Where an answer doesn't say how long its token lasts. */
const USUAL_SECONDS = 300

interface Kept {
  readonly token: string
  /** By the monotonic clock. */
  readonly until: number
}

/** Keeps one token for all calls; concurrent callers share one request for it (RFC 6749 §4.4). */
export function createAdminToken(options: AdminTokenOptions): AdminToken {
  const { clock } = options
  let kept: Kept | undefined
  let running: Promise<Kept> | undefined
  return {
    async obtain() {
      if (kept !== undefined && clock.monotonic() < kept.until) return kept.token
      running ??= request(options).finally(() => {
        running = undefined
      })
      kept = await running
      return kept.token
    },
    drop(token) {
      if (kept?.token === token) kept = undefined
    },
  }
}

async function request(options: AdminTokenOptions): Promise<Kept> {
  const { clock } = options
  const answer = await ask(options)
  if (answer.status !== 200) throw explainRefusal(answer, options)
  const { access_token: token, expires_in: seconds, token_type: type } = answer.document ?? {}
  if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token) || !/^bearer$/i.test(String(type)))
    throw new AsgardeoError('unavailable', 'Asgardeo answers the request for an admin token with none')
  const lifetime = typeof seconds === 'number' && seconds > 0 ? seconds : USUAL_SECONDS
  return { token, until: clock.monotonic() + Math.max(0, lifetime * 1000 - EARLY_MS) }
}

async function ask({ base, clientId, clientSecret, scopes, outboundFetch }: AdminTokenOptions): Promise<AsgardeoAnswer> {
  const form = new URLSearchParams({ grant_type: 'client_credentials', scope: scopes.join(' ') })
  try {
    const answer = await outboundFetch.fetchRaw(`${base}/oauth2/token`, {
      namedBy: 'operator',
      method: 'POST',
      headers: {
        authorization: `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`,
        'content-type': 'application/x-www-form-urlencoded',
      },
      body: form.toString(),
    })
    return readAnswer(answer)
  } catch (cause) {
    throw new AsgardeoError('unavailable', `Asgardeo cannot be asked for an admin token: ${(cause as Error).message}`, { cause })
  }
}

function explainRefusal({ status, document }: AsgardeoAnswer, { clientSecret }: AdminTokenOptions): AsgardeoError {
  const code = typeof document?.error === 'string' ? ` ${quoteUntrusted(document.error, [clientSecret])}` : ''
  if (status === 400 || status === 401 || status === 403)
    return new AsgardeoError(
      'credentials',
      `Asgardeo refuses the credentials of \`identity_provider.admin\` (${status}${code}): compare them with those of the machine-to-machine application`,
    )
  return new AsgardeoError('unavailable', `Asgardeo answers the request for an admin token with ${status}${code}`)
}
