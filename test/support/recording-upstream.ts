import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTcpServer, type Socket } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { closeServer, listenOnLoopback } from '../../src/sandbox/listen.ts'

/** One request, as it arrived. */
export interface RecordedRequest {
  readonly method: string
  /** Path and query. */
  readonly url: string
  /** Alternating names and values, exactly as sent. */
  readonly rawHeaders: readonly string[]
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** Resolves when the body is complete; rejects when the sender breaks off. */
  readonly body: Promise<Buffer>
  /** Resolves when the sender goes away before the answer is complete. */
  readonly aborted: Promise<void>
}

export type Answer = (request: RecordedRequest, response: ServerResponse) => void | Promise<void>

export interface RecordingUpstream {
  readonly origin: string
  readonly port: number
  /** Everything that arrived, in order. */
  readonly requests: readonly RecordedRequest[]
  /** Every byte of every connection that was opened, in order. */
  readonly connections: readonly Buffer[]
  /** The request with this number (from 0): already there, or as soon as its headers have arrived. */
  waitForRequest(index: number): Promise<RecordedRequest>
  /** How requests are answered from now on. */
  answerWith(answer: Answer): void
  close(): Promise<void>
}

/** Starts an HTTP server on 127.0.0.1 that keeps what it receives and answers as a test says. Default: 200 and an empty JSON-RPC result. */
export async function startRecordingUpstream(
  answer: Answer = answerJson({ jsonrpc: '2.0', id: 1, result: {} }),
): Promise<RecordingUpstream> {
  const requests: RecordedRequest[] = []
  const connections: Buffer[] = []
  let current = answer
  const server = createServer((incoming, response) => {
    const request = recordRequest(incoming, response)
    requests.push(request)
    server.emit('recorded')
    Promise.resolve(current(request, response)).catch((error) => response.destroy(error))
  })
  server.on('connection', (socket: Socket) => recordBytes(socket, connections))
  const port = await listenOnLoopback(server, 0)
  return {
    origin: `http://127.0.0.1:${port}`,
    port,
    requests,
    connections,
    waitForRequest: async (index) => {
      while (requests[index] === undefined) await once(server, 'recorded')
      return requests[index]
    },
    answerWith: (next) => {
      current = next
    },
    close: () => closeServer(server),
  }
}

function recordRequest(incoming: IncomingMessage, response: ServerResponse): RecordedRequest {
  const body = buffer(incoming)
  // Most tests never look at a body that was broken off.
  body.catch(() => {})
  return {
    method: incoming.method ?? '',
    url: incoming.url ?? '',
    rawHeaders: incoming.rawHeaders,
    headers: incoming.headers,
    body,
    aborted: new Promise((resolve) => response.once('close', () => (response.writableFinished ? undefined : resolve()))),
  }
}

/** Keeps what the socket receives; the function returned gives the bytes until now. */
function recordBytes(socket: Socket, connections: Buffer[]): () => Buffer {
  const index = connections.push(Buffer.alloc(0)) - 1
  const received = () => connections[index] ?? Buffer.alloc(0)
  socket.on('data', (chunk) => {
    connections[index] = Buffer.concat([received(), chunk])
  })
  return received
}

/** Answers with a JSON value. */
export function answerJson(value: unknown, status = 200, headers: Record<string, string> = {}): Answer {
  return (_request, response) => {
    response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(JSON.stringify(value))
  }
}

/** An event stream whose events a test sends one by one. */
export interface ControlledStream {
  readonly answer: Answer
  /** The stream's response: there when a request has been answered with it. */
  readonly opened: Promise<ServerResponse>
  /** Sends text as it is; resolves to false when the reader is slower: then wait for `drained`. */
  send(text: string | Buffer): Promise<boolean>
  drained(): Promise<void>
  end(): Promise<void>
  /** Cuts the connection in the middle. */
  cut(): Promise<void>
}

/** Creates an answer that is an event stream under the test's control. */
export function controlStream(headers: Record<string, string> = {}): ControlledStream {
  let resolve: (response: ServerResponse) => void
  const opened = new Promise<ServerResponse>((settle) => {
    resolve = settle
  })
  return {
    answer: (_request, response) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store', ...headers })
      response.flushHeaders()
      resolve(response)
    },
    opened,
    send: async (text) => (await opened).write(text),
    drained: async () => void (await once(await opened, 'drain')),
    end: async () => void (await opened).end(),
    cut: async () => void (await opened).destroy(),
  }
}

export interface RawUpstream {
  readonly origin: string
  readonly port: number
  readonly connections: readonly Buffer[]
  close(): Promise<void>
}

/**
 * Starts a TCP server on 127.0.0.1 that answers every request head with exactly these bytes, whatever HTTP says.
 *
 * @param answer - bytes to send; `keepOpen` leaves the connection open after them
 */
export async function startRawUpstream(answer: string | Buffer, { keepOpen = false } = {}): Promise<RawUpstream> {
  const connections: Buffer[] = []
  const sockets = new Set<Socket>()
  const server = createTcpServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => sockets.delete(socket))
    const received = recordBytes(socket, connections)
    let isAnswered = false
    socket.on('data', () => {
      if (isAnswered || !received().includes('\r\n\r\n')) return
      isAnswered = true
      if (keepOpen) socket.write(answer)
      else socket.end(answer)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    origin: `http://127.0.0.1:${port}`,
    port,
    connections,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
