import { BROKER_PATHS } from '../../core/broker-paths.ts'
import type { EndpointRequest } from '../../core/endpoint-request.ts'
import { type ErrorCode, errorCatalogue } from '../../core/errors.ts'
import type { RateLimit } from '../limits/rate-limit.ts'
import { SIGN_IN_ERRORS } from '../pages/sign-in-errors.ts'
import { type Branded, sendSignInError } from '../sign-in/sign-in-result.ts'
import { formatCors } from './endpoint-methods.ts'

/** No limit counts by client id: anyone could name the id of another client, and all users of a hosted client share one. */
export interface EndpointLimits {
  /** Limits authorization requests: each is stored for a while. */
  readonly authorizations: RateLimit
  /** Limits token and revocation requests: each may guess a secret, and costs signatures and a look into the store. */
  readonly tokenRequests: RateLimit
  /** Limits introspection requests of clients that the configuration does not name, or that did not authenticate. */
  readonly unknownIntrospections: RateLimit
}

/** A limit that was exceeded, and the seconds after which to try again. */
export interface ExceededLimit {
  readonly code: ErrorCode
  readonly seconds: number
}

const { authorization, revocation, token } = BROKER_PATHS.provider

/** Counts a request; undefined while it is within its limit. */
export function findLimit({ request, path, address }: EndpointRequest, limits: EndpointLimits): ExceededLimit | undefined {
  if (path === authorization) return describeLimit('sign_ins_limited', limits.authorizations.count(address))
  if (request.method !== 'POST') return undefined
  if (path !== token && path !== revocation) return undefined
  return describeLimit('token_requests_limited', limits.tokenRequests.count(address))
}

function describeLimit(code: ErrorCode, seconds: number | undefined): ExceededLimit | undefined {
  return seconds === undefined ? undefined : { code, seconds }
}

/** Answers 429 (RFC 6585 §4), with a page for browsers. */
export function sendTooManyRequests(incoming: EndpointRequest, { code, seconds }: ExceededLimit, branded: Branded): void {
  const cause = `retry after ${seconds} s`
  if (code === 'sign_ins_limited' && incoming.request.headers.accept?.includes('text/html')) {
    incoming.response.setHeader('retry-after', seconds)
    return sendSignInError(incoming, SIGN_IN_ERRORS.busy, cause, branded)
  }
  incoming.note(code, cause)
  const { message } = errorCatalogue[code]
  const error_description = `${message.toLowerCase()}, try again in ${seconds} s`
  const body = JSON.stringify({ error: 'temporarily_unavailable', error_description })
  const headers = {
    'content-type': 'application/json',
    'cache-control': 'no-store',
    ...formatCors(incoming.path),
    'access-control-expose-headers': 'retry-after',
    'retry-after': String(seconds),
  }
  incoming.response.writeHead(429, headers).end(body)
}
