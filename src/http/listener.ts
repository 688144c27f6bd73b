import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { Clock } from '../core/clock.ts'
import type { ListenPlan } from '../core/plan/plan.ts'
import { condemn } from './connection.ts'
import { watchStalled } from './stall-watch.ts'

export type RequestHandler = (request: IncomingMessage, response: ServerResponse) => void

interface ListenerOptions {
  readonly listen: ListenPlan
  /** Seconds for the complete header section. */
  readonly headersSeconds: number
  /** Seconds that a client may take nothing of what is written to it. */
  readonly stalledSeconds: number
  readonly handler: RequestHandler
  readonly clock?: Clock
  /** Called for what could not be read as a request. */
  readonly onUnreadable: (status: number, cause: string, remoteAddress: string | undefined) => void
}

/** A listening server. */
export interface Listener {
  readonly host: string
  readonly port: number
  /** Takes no new connections; resolves when all of them are gone. */
  close(): Promise<void>
  /** Closes connections without a request on them. */
  closeIdle(): void
  /** Cuts every connection. */
  closeAll(): void
}

const SERVER_OPTIONS = {
  // Bytes of the header section (Node's own default, named because a limit that matters should not be somebody else's default).
  maxHeaderSize: 16 * 1024,
  insecureHTTPParser: false,
  // The time for a whole request is not bounded: a body may be large. Its pieces are (see body.ts).
  requestTimeout: 0,
  keepAliveTimeout: 65_000,
  noDelay: true,
  // A client that vanished without a word holds a stream, and the MCP server's behind it, until its silence is noticed.
  keepAlive: true,
  keepAliveInitialDelay: 10_000,
} as const

/** @throws the listening error (port in use, no such address, no permission) */
export async function listen(options: ListenerOptions): Promise<Listener> {
  const server = createServer(options)
  const sockets = trackSockets(server)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.listen.port, options.listen.host, () => {
      server.off('error', reject)
      resolve()
    })
  })
  server.on('close', watchStalled(sockets, options.stalledSeconds, options.clock))
  const { address, port } = server.address() as AddressInfo
  return {
    host: address,
    port,
    close: () => new Promise((resolve) => server.close(() => resolve())),
    closeIdle: () => server.closeIdleConnections(),
    closeAll() {
      for (const socket of sockets) socket.destroy()
    },
  }
}

/** Every connection, also those that Node does not count yet because TLS is not agreed upon; with TLS, what is in it as well. */
function trackSockets(server: Server): ReadonlySet<Socket> {
  const sockets = new Set<Socket>()
  const track = (socket: Socket): void => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  }
  server.on('connection', track).on('secureConnection', track)
  return sockets
}

function createServer(options: ListenerOptions): Server {
  const { tls } = options.listen
  const settings = { ...SERVER_OPTIONS, ...boundHeaderSection(options.headersSeconds) }
  const server = tls
    ? createHttpsServer({
        ...settings,
        cert: tls.cert,
        key: tls.key,
        minVersion: 'TLSv1.2',
        handshakeTimeout: settings.headersTimeout,
      })
    : createHttpServer(settings)
  // Node drops what comes behind the limit without a word; with some room above ours we see that it was too much.
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
    // A connection that breaks is no request, and one without TLS hears no answer; the request it breaks has a line of its own.
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
 * Node looks for header sections that take too long only now and then. One such interval is taken off the time for that, another for
 * closing thousands of connections at once; 0 would switch the bound off.
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
 * Answers where there is no response object. What another request waits for on this socket is cut, so that this answer isn't taken for
 * its answer.
 */
function endRaw(socket: AnsweringSocket, status: number): void {
  // Node has taken its own listener away by now, and a broken connection must break nothing else.
  socket.on('error', () => socket.destroy())
  if (!socket.writable || isAnsweringAnother(socket._httpMessage)) {
    socket.destroy()
    return
  }
  condemn(socket)
  socket.end(`HTTP/1.1 ${status} ${REASONS[status] ?? ''}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () =>
    socket.destroy(),
  )
}

/** A request whose body can't be read is what the status is about; one that came whole is another. */
function isAnsweringAnother(response: AnsweringSocket['_httpMessage']): boolean {
  return response ? response.headersSent || response.req.complete : false
}
