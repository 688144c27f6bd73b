import { ProxyError } from '../core/errors.ts'
import type { ReplyHeaders } from '../core/reply.ts'

/**
 * Response headers that end here: those of one connection (RFC 9110 §7.6.1), and those that would speak for us. A challenge of the
 * upstream must not replace ours, its CORS rules are not those of the public origin, and its cookies would be set on it. Addresses are its
 * private ones: what would lead there, with a success or an error too, ends here like a redirect.
 */
const DROPPED_HEADERS = new Set([
  // Not a field to an object: a list of its values would become the parent that all other names are looked for in.
  '__proto__',
  'connection',
  'content-location',
  'keep-alive',
  'location',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authentication-info',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'www-authenticate',
  'authentication-info',
  'set-cookie',
  'set-cookie2',
  'accept-ch',
  'alt-svc',
  'attribution-reporting-register-source',
  'attribution-reporting-register-trigger',
  'clear-site-data',
  'critical-ch',
  'expect-ct',
  'set-login',
  'nel',
  'public-key-pins',
  'refresh',
  'report-to',
  'reporting-endpoints',
  'service-worker-allowed',
  'strict-transport-security',
  'use-as-dictionary',
  // Device Bound Session Credentials: a session of the whole origin, whose requests the browser holds back until it has been refreshed.
  'sec-session-challenge',
  'sec-session-registration',
  'secure-session-challenge',
  'secure-session-registration',
  // Servers before us answer with another resource of theirs, a file or a URL: nginx, Apache and lighttpd, H2O and Perlbal, LiteSpeed.
  'x-accel-redirect',
  'x-sendfile',
  'x-sendfile-temporary',
  'x-sendfile2',
  'x-lighttpd-send-file',
  'x-litespeed-location',
  'x-reproxy-file',
  'x-reproxy-url',
  // Empties the cache of one.
  'x-litespeed-purge',
  // Fly.io sends the request, with the token of the caller, to another application, and others after it.
  'fly-replay',
  'fly-replay-cache',
  'fly-replay-cache-ttl-secs',
  // Envoy takes all of us, with every other MCP server, for unhealthy.
  'x-envoy-degraded',
  'x-envoy-immediate-health-check-fail',
  // Names the request in our log; the upstream's own name for it would be taken for that.
  'x-request-id',
])
const MAX_FIELDS = 200

/**
 * The response headers that the client gets.
 *
 * @param headers - as the upstream sent them, by lower-case name; several values of one name as a list
 * @throws ProxyError `upstream_invalid_response` for too many fields, for a body whose end is ambiguous, and for one that commands a proxy
 */
export function filterResponseHeaders(headers: Record<string, string | string[] | undefined>): ReplyHeaders {
  checkFraming(headers['transfer-encoding'])
  checkCommands(headers['content-type'])
  const named = namesInConnection(headers.connection)
  const kept: ReplyHeaders = {}
  let fields = 0
  for (const name in headers) {
    const value = headers[name]
    fields += Array.isArray(value) ? value.length : 1
    if (value === undefined || DROPPED_HEADERS.has(name) || name.startsWith('access-control-') || named?.has(name)) continue
    kept[name] = value
  }
  if (fields > MAX_FIELDS)
    throw new ProxyError('upstream_invalid_response', { reason: 'http_invalid', cause: `${fields} header fields` })
  return kept
}

/** The parser takes any other coding for a body until the end of the connection, and the coding itself ends here. */
function checkFraming(coding: string | string[] | undefined): void {
  if (coding === undefined || (typeof coding === 'string' && coding.toLowerCase() === 'chunked')) return
  throw new ProxyError('upstream_invalid_response', { reason: 'http_invalid', cause: 'Transfer-Encoding other than chunked' })
}

/** A body that says the same as `Fly-Replay`. */
const REPLAY = /vnd\.fly\.replay/i

function checkCommands(type: string | string[] | undefined): void {
  if (type === undefined || type === 'application/json' || ![type].flat().some((each) => REPLAY.test(each))) return
  throw new ProxyError('upstream_invalid_response', { reason: 'media_type_wrong', cause: 'a body that replays the request' })
}

function namesInConnection(connection: string | string[] | undefined): Set<string> | undefined {
  if (connection === undefined || connection === 'keep-alive' || connection === 'close') return undefined
  const names = [connection].flat().join(',').split(',')
  // The length belongs to the message, even if `Connection` names it.
  return new Set(
    names.map((name) => name.trim().toLowerCase()).filter((name) => name !== 'content-length' && name !== 'content-type'),
  )
}
