import * as oauth from 'oauth4webapi'
import { parseExactJson } from '../../core/json/exact-json.ts'
import type { IdentityProviderPlan } from '../../core/plan/identity-provider-plan.ts'
import { formEncode } from '../../oauth/client-authentication.ts'
import type { RawAnswer, SafeFetch } from '../../oauth/safe-fetch.ts'
import { normalizeTokenAnswer } from './token-response.ts'

interface FetchInit {
  readonly method: string
  readonly headers: Record<string, string>
  readonly body?: unknown
  readonly signal?: AbortSignal | undefined
}

/** Options of every request to the identity provider. */
export interface RequestOptions {
  readonly [oauth.customFetch]: (url: string, init: FetchInit) => Promise<Response>
  readonly [oauth.allowInsecureRequests]: boolean
  readonly signal?: AbortSignal
}

/** @param deadlineMs - longest that one answer may take */
export function createRequestOptions(plan: IdentityProviderPlan, outboundFetch: SafeFetch, deadlineMs: number): RequestOptions {
  return {
    [oauth.customFetch]: createCustomFetch(plan, outboundFetch, deadlineMs),
    // The configuration permits http on this machine only.
    [oauth.allowInsecureRequests]: true,
  }
}

/** How the proxy says who it is. */
export function createAuthentication({ clientAuthentication: how }: IdentityProviderPlan): oauth.ClientAuth {
  if (how.method === 'none') return oauth.None()
  return how.method === 'client_secret_basic' ? createBasic(how.secret) : oauth.ClientSecretPost(how.secret)
}

/**
 * RFC 6749 §2.3.1 has id and secret form-encoded first. The library encodes hyphens and dots too, which the form encoding does not; a
 * provider that forgets to decode would not know the usual ids and secrets then.
 */
function createBasic(secret: string): oauth.ClientAuth {
  return (_metadata, { client_id: id }, _body, headers) => {
    headers.set('authorization', `Basic ${Buffer.from(`${formEncode(id)}:${formEncode(secret)}`).toString('base64')}`)
  }
}

/** Sends every request of the library through our outbound fetch. */
function createCustomFetch(
  { issuer, metadataUrl, oauth: plain }: IdentityProviderPlan,
  outboundFetch: SafeFetch,
  deadlineMs: number,
): RequestOptions[typeof oauth.customFetch] {
  const named = new Set([plain?.tokenEndpoint, plain?.userinfoEndpoint, plain?.emailsEndpoint, plain?.organizationsEndpoint])
  const { origin, pathname } = new URL(issuer)
  // RFC 8414 §3.1 has its document before the path of the issuer, not behind it.
  const documents = [metadataUrl, `${origin}/.well-known/oauth-authorization-server${pathname.replace(/\/$/, '')}`]
  return async (url, { method, headers, body, signal }) => {
    const isOurs = named.has(url) || documents.includes(url) || url.startsWith(`${issuer.replace(/\/$/, '')}/.well-known/`)
    const answer = await outboundFetch.fetchRaw(url, {
      namedBy: isOurs ? 'operator' : 'metadata',
      method: method === 'POST' ? 'POST' : 'GET',
      headers,
      deadlineMs,
      ...(body !== null && body !== undefined && { body: String(body) }),
      ...(signal !== undefined && { signal }),
    })
    const bytes = isJson(answer) ? keepNumbers(answer.bytes) : answer.bytes
    const response = new Response(bytes.length > 0 ? new Uint8Array(bytes) : null, {
      status: answer.status,
      headers: answer.headers,
    })
    // Nothing but token endpoints are asked by POST.
    return method === 'POST' ? normalizeTokenAnswer(response) : response
  }
}

function isJson({ headers }: RawAnswer): boolean {
  return /^application\/json(?:$|[ \t]*;)/i.test(headers['content-type'] ?? '')
}

/** The library reads numbers as JavaScript does: those that it would round, it gets as text. */
function keepNumbers(bytes: Buffer): Buffer {
  try {
    return Buffer.from(JSON.stringify(parseExactJson(bytes.toString('utf8'))))
  } catch {
    // The reader of the answer reports invalid JSON.
    return bytes
  }
}
