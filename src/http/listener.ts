import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '../core/clock.ts'
import type { ListenPlan } from '../core/plan/plan.ts'
import { acceptWaiting } from './accept-waiting.ts'
import { markAmbiguous } from './connection.ts'
import { watchStalled } from './stall-watch.ts'

export type RequestHandler = (request: IncomingMessage, response: ServerResponse) => void

interface ListenerOptions {
  readonly listen: ListenPlan
  /** Descriptor of a socket that listens already, in place of an address of our own. */
  readonly descriptor?: number | undefined
  /** Seconds for the complete header section. */
  readonly headersSeconds: number
  /** Seconds for which a client may read nothing of its response. */
  readonly stalledSeconds: number
  readonly handler: RequestHandler
  readonly clock?: Clock
  /** Called when a request could not be parsed. */
  readonly onUnreadable: (status: number, cause: string, remoteAddress: string | undefined) => void
}

/** A listening server. */
export interface Listener {
  readonly host: string
  readonly port: number
  /** From now on each answer is the last of its connection, so that clients and load balancers open the next one elsewhere. */
  closeAfterAnswers(): void
  /** Takes the connections that the system has accepted, and then no more; resolves when all of them are gone. */
  close(): Promise<void>
  /** Closes connections without a request on them, right after the next look at what has arrived on them. */
  closeIdle(): void
  /** Closes connections on which nothing was ever sent, as browsers and load balancers open them in advance, right after the same look. */
  closeSilent(): void
  /** Cuts every connection. */
  closeAll(): void
  /** Takes no new connections and cuts every one that there is. */
  closeNow(): Promise<void>
  /** New connections get the new certificate, and time limits apply from now on; open connections stay. */
  renew(settings: ListenerSettings): void
}

/** What can change while it listens. */
type ListenerSettings = Pick<ListenerOptions, 'headersSeconds'> & {
  readonly tls: ListenPlan['tls']
  readonly stalledClientSeconds: number
}

const SERVER_OPTIONS = {
  // Bytes of the header section. Node's own default, but explicit, because we rely on it.
  maxHeaderSize: 16 * 1024,
  insecureHTTPParser: false,
  // The time of a whole request is not bounded: a body may be large. The time between its pieces is (see body.ts).
  requestTimeout: 0,
  keepAliveTimeout: 65_000,
  noDelay: true,
  // A client that vanished without closing holds a stream, and one of the MCP server's, until that is noticed.
  keepAlive: true,
  keepAliveInitialDelay: 10_000,
} as const

/** @throws the listening error (port in use, no such address, no permission) */
export async function listen(options: ListenerOptions): Promise<Listener> {
  const server = createServer(options)
  const sockets = trackSockets(server)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(findPlace(options), () => {
      server.off('error', reject)
      resolve()
    })
  })
  const renew = createRenewal(server, sockets, options)
  const { address, port } = server.address() as AddressInfo
  const close = () => new Promise<void>((resolve) => server.close(() => resolve()))
  const acceptAndClose = async () => {
    await acceptWaiting(server, options.clock)
    return close()
  }
  const closeAll = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    host: address,
    port,
    close: acceptAndClose,
    closeSilent: () => afterNextLook(() => closeSilent(sockets)),
    closeAll,
    renew,
    closeNow() {
      closeAll()
      return close()
    },
    closeAfterAnswers: () => closeAfterAnswers(server, sockets),
    closeIdle: () => afterNextLook(() => server.closeIdleConnections()),
  }
}

/** Runs a task right after the event loop has looked for what has arrived. The present turn may have looked already. */
function afterNextLook(task: () => void): void {
  setImmediate(() => setImmediate(task))
}

function closeSilent(sockets: ReadonlySet<Socket>): void {
  for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy()
}

function findPlace({ listen: { host, port, reusePort }, descriptor }: ListenerOptions): object {
  return descriptor === undefined ? { host, port, reusePort } : { fd: descriptor }
}

/** Watches stalled clients, and applies other settings when they come. A watch that is begun anew would not know since when a client reads nothing. */
function createRenewal(
  server: Server | HttpsServer,
  sockets: ReadonlySet<Socket>,
  { listen, stalledSeconds, clock }: ListenerOptions,
): Listener['renew'] {
  let certificate = listen.tls
  let seconds = stalledSeconds
  let stop = watchStalled(sockets, seconds, clock)
  server.on('close', () => stop())
  return ({ tls, headersSeconds, stalledClientSeconds }) => {
    // With the same certificate, clients can go on to resume their TLS sessions.
    if (tls && 'setSecureContext' in server && !isDeepStrictEqual(tls, certificate))
      server.setSecureContext(formatTlsOptions(tls))
    certificate = tls
    server.headersTimeout = boundHeaderSection(headersSeconds).headersTimeout
    if (seconds === stalledClientSeconds) return
    seconds = stalledClientSeconds
    stop()
    stop = watchStalled(sockets, seconds, clock)
  }
}

function formatTlsOptions({ cert, key }: NonNullable<ListenPlan['tls']>) {
  return { cert, key, minVersion: 'TLSv1.2' } as const
}

/** Base URL of a listener. */
export function formatListenerUrl({ host: address, port }: Listener, isTls: boolean): string {
  const host = address.includes(':') ? `[${address}]` : address
  return `${isTls ? 'https' : 'http'}://${host}:${port}`
}

/** Every connection, including those that Node does not count because the TLS handshake is not done; with TLS, the inner sockets as well. */
function trackSockets(server: Server): ReadonlySet<Socket> {
  const sockets = new Set<Socket>()
  const track = (socket: Socket): void => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  }
  server.on('connection', track).on('secureConnection', track)
  return sockets
}

/** Nothing is done for any request before it is needed. */
function closeAfterAnswers(server: Server, sockets: ReadonlySet<AnsweringSocket>): void {
  const end = (response: ServerResponse): void => {
    response.shouldKeepAlive = false
  }
  for (const event of ['request', 'checkContinue', 'checkExpectation'])
    server.prependListener(event, (_request, response: ServerResponse) => end(response))
  for (const { _httpMessage: running } of sockets) if (running) end(running)
}

function createServer(options: ListenerOptions): Server | HttpsServer {
  const { tls } = options.listen
  const settings = { ...SERVER_OPTIONS, ...boundHeaderSection(options.headersSeconds) }
  const server = tls
    ? createHttpsServer({
        ...settings,
        ...formatTlsOptions(tls),
        handshakeTimeout: settings.headersTimeout,
      })
    : createHttpServer(settings)
  // Node silently drops fields beyond the limit. With some room above ours we see that there were too many.
  server.maxHeadersCount = 150
  server.on('request', options.handler)
  // Both come instead of `request`. Whether to go on is decided after authentication (body.ts), not here.
  server.on('checkContinue', options.handler)
  server.on('checkExpectation', options.handler)
  server.on('connect', (_request, socket) => {
    options.onUnreadable(405, 'CONNECT', (socket as Socket).remoteAddress)
    endRaw(socket as Socket, 405)
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    // A broken connection is no request, and one without TLS cannot be answered; the request that it breaks has its own log line.
    if (!isOfParser(error.code)) {
      socket.destroy()
      return
    }
    const status = statusOfParserError(error.code)
    options.onUnreadable(status, error.code, (socket as Socket).remoteAddress)
    endRaw(socket as Socket, status)
  })
  return server
}

/**
 * Node checks for slow header sections only at intervals. One interval is subtracted from the limit for that, another for closing thousands
 * of connections at once; 0 would disable the limit.
 */
function boundHeaderSection(seconds: number): { headersTimeout: number; connectionsCheckingInterval: number } {
  const connectionsCheckingInterval = Math.ceil(Math.min(250, seconds * 50))
  const headersTimeout = Math.max(1, Math.floor(seconds * 1000) - 2 * connectionsCheckingInterval)
  return { headersTimeout, connectionsCheckingInterval }
}

/** Node keeps the response that is being written on its socket. */
type AnsweringSocket = Socket & { readonly _httpMessage?: ServerResponse | null }

function isOfParser(code: string | undefined): code is string {
  return code !== undefined && (code.startsWith('HPE_') || code.startsWith('ERR_HTTP_'))
}

function statusOfParserError(code: string | undefined): number {
  if (code === 'HPE_HEADER_OVERFLOW' || code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW') return 431
  return code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400
}

const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
}

/**
 * Answers where there is no response object. If another request on this socket still waits for a response, the connection is cut instead, so
 * that this answer is not taken for that response.
 */
function endRaw(socket: AnsweringSocket, status: number): void {
  // Node has removed its own listener by now, and a broken connection must not crash the process.
  socket.on('error', () => socket.destroy())
  if (!socket.writable || isAnsweringAnother(socket._httpMessage)) {
    socket.destroy()
    return
  }
  markAmbiguous(socket)
  socket.end(`HTTP/1.1 ${status} ${REASONS[status] ?? ''}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () =>
    socket.destroy(),
  )
}

/** A request whose body cannot be read is the one that the status is for; a complete one is another. */
function isAnsweringAnother(response: AnsweringSocket['_httpMessage']): boolean {
  return response ? response.headersSent || response.req.complete : false
}
