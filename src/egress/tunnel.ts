import { type ClientRequest, type IncomingMessage, type RequestOptions, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { isIP, type Socket } from 'node:net'
import { getCACertificates, TLSSocket } from 'node:tls'
import { findAddressLiteral } from '../core/addresses.ts'
import { describeError } from '../core/describe-cause.ts'
import type { EgressProxyPlan } from '../core/plan/egress-plan.ts'
import { EgressError } from './egress-error.ts'

/** A connection that is being opened. */
export interface Opening {
  /** Gives up; what waits for the connection gets the reason. */
  destroy(reason: Error): void
}

export type OnTunnel = (...result: readonly [error: null, socket: Socket] | readonly [error: EgressError, socket: null]) => void

/** Of the answer to CONNECT. */
const MAX_HEADER_BYTES = 16 * 1024

/**
 * Opens a tunnel (RFC 9110 §9.3.6). All that the egress proxy learns is the authority; its credentials go nowhere else.
 *
 * @param authority - host and port; an IPv6 address in brackets
 */
export function openTunnel(proxy: EgressProxyPlan, authority: string, callback: OnTunnel): Opening {
  const request = startRequest(proxy, authority)
  let isConnected = false
  let isOver = false
  const settle: OnTunnel = (...result) => {
    if (!isOver) callback(...result)
    isOver = true
  }
  const onConnection = (socket: Socket): void => {
    const event = socket instanceof TLSSocket ? 'secureConnect' : 'connect'
    socket.once(event, () => {
      isConnected = true
    })
  }
  request
    .once('socket', onConnection)
    .once('connect', ({ statusCode = 0 }: IncomingMessage, socket: Socket, head: Buffer) => {
      const refusal = isOver ? undefined : findRefusal(proxy, authority, statusCode, head)
      if (refusal !== undefined || isOver) socket.on('error', () => undefined).destroy()
      if (refusal === undefined) settle(null, socket)
      else settle(refusal, null)
    })
    .on('error', (error) => settle(explainFailure(proxy, error, isConnected), null))
    .end()
  return { destroy: (reason) => void request.destroy(reason) }
}

function startRequest({ origin, credentials, ca }: EgressProxyPlan, authority: string): ClientRequest {
  const { protocol, hostname, port } = new URL(origin)
  const host = findAddressLiteral(hostname) ?? hostname
  const options: RequestOptions = {
    method: 'CONNECT',
    path: authority,
    host,
    port: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port),
    // An agent of its own: that of the process may itself be told to use a proxy (NODE_USE_ENV_PROXY).
    agent: false,
    setHost: false,
    maxHeaderSize: MAX_HEADER_BYTES,
    insecureHTTPParser: false,
    headers: { host: authority, ...(credentials && { 'proxy-authorization': formatBasic(credentials) }) },
  }
  if (protocol !== 'https:') return requestHttp(options)
  return requestHttps({
    ...options,
    // Explicit, since NODE_TLS_REJECT_UNAUTHORIZED=0 would otherwise disable it.
    rejectUnauthorized: true,
    ...(isIP(host) === 0 && { servername: host }),
    ...(ca !== undefined && { ca: [...getCACertificates('default'), ca] }),
  })
}

/** RFC 7617 §2. */
function formatBasic({ username, password }: NonNullable<EgressProxyPlan['credentials']>): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}

/** Statuses by which egress proxies say that the destination, not they themselves, is the reason. */
const UNREACHABLE: ReadonlySet<number> = new Set([500, 502, 503, 504])

function findRefusal({ origin }: EgressProxyPlan, authority: string, status: number, head: Buffer): EgressError | undefined {
  const name = `the egress proxy ${origin}`
  // Some answer 401, as tinyproxy does where the password is wrong.
  if (status === 407 || status === 401) {
    return new EgressError('EGRESS_PROXY_AUTHENTICATION', `${name} wants other credentials (status ${status})`)
  }
  if (UNREACHABLE.has(status)) {
    return new EgressError('EGRESS_DESTINATION_UNREACHABLE', `${name} could not reach ${authority} (status ${status})`)
  }
  if (status < 200 || status >= 300) {
    return new EgressError('EGRESS_PROXY_REFUSED', `${name} refused a tunnel to ${authority} (status ${status})`)
  }
  // No destination speaks first: these are bytes of the egress proxy, and would be taken for an answer.
  if (head.length > 0) return new EgressError('EGRESS_PROXY_INVALID', `${name} sent more than the answer to CONNECT ${authority}`)
  return undefined
}

function explainFailure({ origin }: EgressProxyPlan, error: Error, isConnected: boolean): EgressError {
  const why = `(${describeError(error)})`
  return isConnected
    ? new EgressError('EGRESS_PROXY_INVALID', `the egress proxy ${origin} gave no valid answer to CONNECT ${why}`)
    : new EgressError('EGRESS_PROXY_UNREACHABLE', `the egress proxy ${origin} cannot be reached ${why}`)
}
