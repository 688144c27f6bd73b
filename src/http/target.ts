import { ProxyError, type ReasonOf } from '../core/errors.ts'

/** Characters of a path and query (RFC 3986 §3.3, §3.4). Node lets more through. */
const TARGET_SYNTAX = /^\/[A-Za-z0-9\-._~!$&'()*+,;=:@%/]*(?:\?[A-Za-z0-9\-._~!$&'()*+,;=:@%/?[\]{}|^"]*)?$/
const ABSOLUTE_FORM = /^https?:\/\/([^/?#]*)(\/.*)$/i

/**
 * Splits a request target into path and query. Nothing is decoded, joined or normalized: a path equals a configured one
 * letter by letter or matches none, so routing and policy cannot disagree on it.
 *
 * @param target - as sent (RFC 9112 §3.2): origin-form, or absolute-form if it names the host of the `Host` field
 * @param host - the `Host` field, lower case
 * @throws ProxyError `request_malformed`
 */
export function parseTarget(target: string, host: string): Target {
  if (target === lastPath?.path) return lastPath
  const parsed = splitTarget(target, host)
  // A query may hold a token, which must not be logged.
  if (parsed.query === undefined) lastPath = parsed
  return parsed
}

interface Target {
  readonly path: string
  readonly query: string | undefined
}

/** The path that the last request named: mostly the one that the next names too. */
let lastPath: Target | undefined

function splitTarget(target: string, host: string): Target {
  const origin = target.startsWith('/') ? target : readAbsoluteForm(target, host)
  if (!TARGET_SYNTAX.test(origin)) throw malformed('target_invalid', 'the request target is not a path and query')
  const mark = origin.indexOf('?')
  return mark < 0 ? { path: origin, query: undefined } : { path: origin.slice(0, mark), query: origin.slice(mark + 1) }
}

function readAbsoluteForm(target: string, host: string): string {
  const [, authority, rest] = ABSOLUTE_FORM.exec(target) ?? []
  if (authority === undefined || rest === undefined) throw malformed('target_invalid', 'the request target is not a path')
  if (authority.toLowerCase() !== host) throw malformed('target_invalid', 'the request target names another host than Host')
  return rest
}

function malformed(reason: ReasonOf<'request_malformed'>, cause: string): ProxyError {
  return new ProxyError('request_malformed', { reason, cause })
}
