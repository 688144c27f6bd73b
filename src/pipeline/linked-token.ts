import { ProxyError } from '../core/errors.ts'
import { findQueryToken } from '../oauth/bearer.ts'
import type { Exchange } from './exchange.ts'

/** Where a browser shows an answer as a page, at the top or within another one (Fetch, Destination). */
const PAGE_DESTINATION = /\b(?:document|i?frame|fencedframe|embed|object)\b/i

/**
 * An attacker can put a token into a link or a form and have the browser of another user follow it. The answer must not become a page of our
 * origin, whatever its type, nor stay in a shared cache (RFC 6750 §2.3). The URL, which holds the token, is not sent on as a referrer.
 * `no-transform` stays in force for event streams.
 */
const headers = {
  'content-security-policy': "sandbox; default-src 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'cache-control': 'private, no-store, no-transform',
  'referrer-policy': 'no-referrer',
}

/**
 * Confines the answer to a request whose token may stand in a link or a form.
 *
 * @param form - body in which a token may stand
 * @throws ProxyError `token_request_malformed` where a browser would show the answer
 */
export function confineLinkedToken(exchange: Exchange, query: string | undefined, form: string | undefined): void {
  if (form === undefined && findQueryToken(query) === undefined) return
  exchange.answerHeaders = { ...exchange.answerHeaders, ...headers }
  const { 'sec-fetch-mode': mode, 'sec-fetch-dest': destination } = exchange.request.headers
  if (!/\bnavigate\b/i.test(String(mode)) && !PAGE_DESTINATION.test(String(destination))) return
  throw new ProxyError('token_request_malformed', {
    reason: 'browser_navigation',
    cause: 'a browser navigates to a link or form with a token',
  })
}
