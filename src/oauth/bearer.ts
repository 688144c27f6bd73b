import { isAccessKey } from '../core/access-key.ts'
import { ProxyError, type ReasonOf } from '../core/errors.ts'
import { hasTooManyParameters } from '../core/form-size.ts'
import type { BearerMethod } from '../core/route-facts.ts'

/** Tokens of this length and longer are refused unread. */
const MAX_TOKEN_LENGTH = 16 * 1024

/** `b64token` (RFC 6750 §2.1). */
const B64TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/

/** An authentication scheme and what follows it (RFC 9110 §11.4). */
const CREDENTIALS = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+)(.*)$/s

/** Where a request may carry its access token, as received. */
export interface TokenSources {
  /** Every value of every `Authorization` header that occurred. */
  readonly authorization: readonly string[]
  /** The query without `?`; undefined when there is none. */
  readonly query: string | undefined
  /** A body of type `application/x-www-form-urlencoded`; undefined for any other body. */
  readonly form?: string | undefined
}

/**
 * Finds the access token of a request in any of the places where it may be (RFC 6750 §2).
 *
 * The header is always read (2026-07-28 basic/authorization, Token Requirements); `body` and `query` only where the server's
 * configuration permits them, and never for access keys: those live long, and logs on the way keep queries.
 *
 * @param sources - where the request may have a token
 * @param permitted - the ways that the protected resource accepts
 * @returns the token; undefined when the request has none
 * @throws ProxyError `token_request_malformed` for a token in a way that is not permitted, in two ways at once, or malformed
 */
export function findAccessToken(sources: TokenSources, permitted: readonly BearerMethod[]): string | undefined {
  const header = parseAuthorizationHeader(sources.authorization)
  if (sources.query === undefined && sources.form === undefined) return header
  const query = permit('query', findQueryToken(sources.query), permitted)
  const body = permit('body', findFormToken(sources.form), permitted)
  if ([query, body].some((token) => token !== undefined && isAccessKey(token)))
    throw malformed('an access key outside of the Authorization header', 'method_not_permitted')
  const presented = [header, query, body].filter((token) => token !== undefined)
  // RFC 6750 §2: clients must not use more than one method in a request.
  if (presented.length > 1) throw malformed('the token is presented in more than one way', 'presented_twice')
  return presented[0]
}

/**
 * Reads the token of the `Authorization` header.
 *
 * | header | outcome |
 * |---|---|
 * | none, or with an empty value | no token |
 * | another scheme (`Basic`, `Digest`, `DPoP`), `Bearer` alone | no token |
 * | `Bearer x` in any letter case, any number of spaces, trailing white space | the token |
 * | a tab as separator; `Bearer a b`; `Bearer a, Bearer b`; characters outside `b64token`; 16 KiB and more | refused |
 * | two headers, with any values | refused |
 *
 * @param values - every value of every `Authorization` header that occurred
 * @returns the token; undefined when there is none
 * @throws ProxyError `token_request_malformed`
 */
export function parseAuthorizationHeader(values: readonly string[]): string | undefined {
  const value = values[0]
  if (value === undefined) return undefined
  // Two readers could disagree on which of two headers counts.
  if (values.length > 1) throw malformed('more than one Authorization header', 'presented_twice')
  if (value.startsWith('Bearer ')) {
    const rest = value.slice(7)
    if (rest.length < MAX_TOKEN_LENGTH && B64TOKEN.test(rest)) return rest
  }
  return parseCredentials(value)
}

function parseCredentials(value: string): string | undefined {
  const credentials = trimSpace(value)
  if (credentials === '') return undefined
  const parts = CREDENTIALS.exec(credentials)
  if (parts === null) throw malformed('the Authorization header names no scheme')
  const [, scheme = '', rest = ''] = parts
  if (scheme.toLowerCase() !== 'bearer') return undefined
  // A client without a token yet. The challenge makes it start the sign-in.
  if (rest === '') return undefined
  // RFC 9110 §11.4: only spaces between scheme and token.
  if (!rest.startsWith(' ')) throw malformed('Bearer must be followed by a space')
  return checkToken(rest.replace(/^ +/, ''))
}

/** Optional white space around a header value (RFC 9110 §5.6.3). */
function trimSpace(value: string): string {
  let start = 0
  let end = value.length
  while (start < end && isSpace(value.charCodeAt(start))) start++
  while (end > start && isSpace(value.charCodeAt(end - 1))) end--
  return value.slice(start, end)
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09
}

function checkToken(token: string): string {
  if (token.length >= MAX_TOKEN_LENGTH) throw malformed('the token is longer than 16 KiB')
  if (!B64TOKEN.test(token)) throw malformed('the token has characters that access tokens do not have')
  return token
}

/**
 * Reads the token of a query (RFC 6750 §2.3).
 *
 * @param query - the query without `?`
 * @returns the value of `access_token`; undefined when there is none
 * @throws ProxyError `token_request_malformed` when it occurs twice, is malformed, or has a name that looks like it
 */
export function findQueryToken(query: string | undefined): string | undefined {
  return query === undefined ? undefined : findParameterToken(query)
}

/** Reads the token of a form body (RFC 6750 §2.2). See {@link findQueryToken}. Refuses forms that nothing else may read either. */
function findFormToken(form: string | undefined): string | undefined {
  if (form === undefined) return undefined
  if (hasTooManyParameters(form)) throw malformed('the form has more than 1000 parameters')
  return findParameterToken(form)
}

/** Without these letters or an escape no parameter can be a token. */
const MAY_HOLD_TOKEN = /token|%/i

function findParameterToken(encoded: string): string | undefined {
  if (!MAY_HOLD_TOKEN.test(encoded)) return undefined
  let token: string | undefined
  for (const parameter of encoded.split('&')) {
    const name = decodeName(parameter)
    if (!isTokenName(name)) continue
    // No specification has `token=` or `ACCESS_TOKEN=`, but servers on the way would log the value all the same.
    if (name !== 'access_token') throw malformed('a parameter looks like a token')
    if (token !== undefined) throw malformed('more than one access_token parameter', 'presented_twice')
    token = checkToken(decodeValue(parameter))
  }
  return token
}

/**
 * Removes `access_token` from a query, so that it is not forwarded. Everything else stays byte for byte.
 *
 * @param query - the query without `?`
 * @returns the rest; undefined when nothing is left
 */
export function stripQueryToken(query: string | undefined): string | undefined {
  if (query === undefined || !MAY_HOLD_TOKEN.test(query)) return query
  const kept = query.split('&').filter((parameter) => decodeName(parameter) !== 'access_token')
  return kept.length === 0 ? undefined : kept.join('&')
}

function isTokenName(name: string): boolean {
  const lower = name.toLowerCase()
  return lower === 'access_token' || lower === 'token'
}

function decodeName(parameter: string): string {
  const equals = parameter.indexOf('=')
  const name = equals === -1 ? parameter : parameter.slice(0, equals)
  return formDecode(name) ?? name
}

/** Empty when there is no value, or none that can be read. */
function decodeValue(parameter: string): string {
  const equals = parameter.indexOf('=')
  return equals === -1 ? '' : (formDecode(parameter.slice(equals + 1)) ?? '')
}

function formDecode(encoded: string): string | undefined {
  try {
    return decodeURIComponent(encoded.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}

function permit(method: BearerMethod, token: string | undefined, permitted: readonly BearerMethod[]): string | undefined {
  if (token !== undefined && !permitted.includes(method))
    throw malformed(`a token in the ${method}, which this server does not accept`, 'method_not_permitted')
  return token
}

function malformed(cause: string, reason: ReasonOf<'token_request_malformed'> = 'syntax'): ProxyError {
  return new ProxyError('token_request_malformed', { reason, cause })
}
