import { isIP, type LookupFunction, type Socket } from 'node:net'
import { getCACertificates } from 'node:tls'
import { buildConnector, errors } from 'undici'
import { findAddressLiteral } from '../core/addresses.ts'
import type { EgressPlan, EgressProxyPlan } from '../core/plan/egress-plan.ts'
import { EgressError } from './egress-error.ts'
import { createEgressProxyFinder } from './egress-proxy.ts'
import { createHostMatcher, findPort } from './match-host.ts'
import { type Opening, openTunnel } from './tunnel.ts'

type Options = buildConnector.Options
type Callback = buildConnector.Callback

/** Opens connections, in the form that undici asks for. The caller may give up the opening that is returned. */
export type EgressConnector = (options: Options, callback: Callback) => Opening

/** The addresses at which a host may be reached. */
export type FindAddresses = (hostname: string) => Promise<readonly string[]>

export interface EgressConnectorOptions {
  readonly egress: EgressPlan
  /** PEM text of additional certificate authorities of destinations. */
  readonly ca: string | undefined
  /** Milliseconds until a connection has to be there, TLS included; 0 where the caller watches the time. */
  readonly timeoutMs: number
  /** Unix socket over which everything is reached; TCP without it. */
  readonly socket?: string | undefined
  /** How direct connections find addresses; `dns.lookup` unless given. */
  readonly lookup?: LookupFunction | undefined
  /**
   * For hosts that strangers name. The egress proxy is given these addresses, never the name, which it could resolve to others. Without
   * it, egress proxies resolve names.
   */
  readonly findAddresses?: FindAddresses | undefined
}

/** Addresses of one host that are tried, one after the other. */
const MAX_ADDRESSES = 4
const KEEP_ALIVE_MS = 60_000

/** The one way out of this process over TCP, databases excepted: directly, or through the egress proxy. TLS is always verified. */
export function createEgressConnector(options: EgressConnectorOptions): EgressConnector {
  const { egress, socket, timeoutMs, lookup } = options
  const findProxy = createEgressProxyFinder(egress)
  const secure = createDirect(options, { timeout: timeoutMs })
  const direct = createDirect(options, { timeout: timeoutMs, ...(socket ? { socketPath: socket } : lookup && { lookup }) })
  const findAuthorities = createAuthorityFinder(options)
  return (to, callback) => {
    const proxy = socket === undefined ? findProxy(to) : undefined
    if (proxy === undefined) return direct(to, callback)
    return limitTime(timeoutMs, callback, (settle) => openThrough({ proxy, to, secure, findAuthorities }, settle))
  }
}

function createDirect({ ca }: EgressConnectorOptions, options: buildConnector.BuildOptions): EgressConnector {
  const connect = buildConnector({
    allowH2: false,
    // Explicit, since NODE_TLS_REJECT_UNAUTHORIZED=0 would otherwise disable it.
    rejectUnauthorized: true,
    ...(ca !== undefined && { ca: [...getCACertificates('default'), ca] }),
    ...options,
  })
  // Its types don't say that it returns the socket.
  return (to, callback) => connect(to, callback) as unknown as Socket
}

interface Way {
  readonly proxy: EgressProxyPlan
  readonly to: Options
  /** Speaks TLS over a tunnel. */
  readonly secure: EgressConnector
  readonly findAuthorities: (to: Options) => Promise<Authorities>
}

/** What the egress proxy may be asked for, host and port each. */
interface Authorities {
  readonly list: readonly string[]
  /** Whether they are addresses that we found for a name. */
  readonly areResolved: boolean
}

/** Tries one authority after the other, until there is a tunnel, and begins TLS in it where the destination speaks that. */
function openThrough({ proxy, to, secure, findAuthorities }: Way, callback: Callback): Opening {
  let current: Opening | undefined
  let reason: Error | undefined
  const dial = ({ list: [authority = '', ...others], areResolved }: Authorities): void => {
    if (reason !== undefined) return callback(reason, null)
    current = openTunnel(proxy, authority, (...[error, socket]) => {
      if (error === null) current = finish(to, socket, secure, callback)
      else if (others.length > 0 && reason === undefined && isAboutDestination(error)) dial({ list: others, areResolved })
      else callback(areResolved ? explainAddress(error, to) : error, null)
    })
  }
  findAuthorities(to).then(dial, (error: Error) => callback(error, null))
  return {
    destroy(why) {
      reason = why
      current?.destroy(why)
    },
  }
}

function isAboutDestination({ code }: EgressError): boolean {
  return code === 'EGRESS_DESTINATION_UNREACHABLE' || code === 'EGRESS_PROXY_REFUSED'
}

/** Some egress proxies permit names only. That is no reason to give them one. */
function explainAddress(error: EgressError, { hostname }: Options): EgressError {
  if (error.code !== 'EGRESS_PROXY_REFUSED') return error
  const why = `${hostname} was not named by the configuration, so the egress proxy is given its address`
  return new EgressError(
    error.code,
    `${error.message}; ${why}. Permit addresses there, or list the host in egress_proxy.resolves`,
  )
}

function finish(to: Options, socket: Socket, secure: EgressConnector, callback: Callback): Opening {
  if (to.protocol === 'https:') {
    const opening = secure({ ...to, httpSocket: socket }, callback)
    socket.on('error', (error) => opening.destroy(error))
    return opening
  }
  callback(null, socket.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_MS))
  return socket
}

/** Calls back once: with the result, or when the time is over. */
function limitTime(timeoutMs: number, callback: Callback, open: (settle: Callback) => Opening): Opening {
  let timer: NodeJS.Timeout | undefined
  let isOver = false
  const opening = open((...[error, socket]) => {
    if (isOver) return void socket?.destroy()
    isOver = true
    clearTimeout(timer)
    if (error === null) callback(null, socket)
    else callback(error, null)
  })
  const end = (): void => opening.destroy(new errors.ConnectTimeoutError(`no connection within ${timeoutMs / 1000} s`))
  if (timeoutMs > 0 && !isOver) timer = setTimeout(end, timeoutMs)
  return opening
}

/** What the egress proxy is asked for: the name that the operator wrote, or the addresses that we found. */
function createAuthorityFinder({ egress, findAddresses }: EgressConnectorOptions): Way['findAuthorities'] {
  const mayResolve = createHostMatcher(egress.resolvedByProxy)
  return async (to) => {
    const literal = findAddressLiteral(to.hostname)
    if (findAddresses === undefined || mayResolve(to)) {
      return { list: [formatAuthority(literal ?? to.hostname, to)], areResolved: false }
    }
    const addresses = await findAddresses(literal ?? to.hostname)
    return { list: addresses.slice(0, MAX_ADDRESSES).map((address) => formatAuthority(address, to)), areResolved: true }
  }
}

function formatAuthority(host: string, to: Options): string {
  return `${isIP(host) === 6 ? `[${host}]` : host}:${findPort(to)}`
}
