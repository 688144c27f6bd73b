import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { closeServer, listenOnLoopback } from '../../../src/sandbox/listen.ts'

/** An MCP server that answers each call with its arguments, and serves event streams. */
export interface EchoServer {
  readonly url: string
  /** Number of POST requests that arrived, by what their bodies call `params.arguments.nonce`. */
  readonly seen: ReadonlyMap<string, number>
  /** Number of requests of any kind that arrived. */
  countRequests(): number
  /** Event streams that are open. */
  countStreams(): number
  /** Sends an event on all streams. */
  sendEvent(text: string): void
  /** Answers no call from now on, until `release`. */
  hold(): void
  release(): void
  close(): Promise<void>
}

interface EchoCall {
  readonly id?: unknown
  readonly params?: { readonly arguments?: { readonly nonce?: string } }
}

export async function startEchoServer(): Promise<EchoServer> {
  const seen = new Map<string, number>()
  const streams = new Set<ServerResponse>()
  let requests = 0
  let released: Promise<void> | undefined
  let release = (): void => undefined
  const server = createServer((request, response) => {
    requests += 1
    if (request.method === 'GET') openStream(response, streams)
    else void answer(request, response, seen, () => released)
  })
  // No test may lose a call to this server's own idle timeout.
  server.keepAliveTimeout = 300_000
  const port = await listenOnLoopback(server, 0)
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    seen,
    countRequests: () => requests,
    countStreams: () => streams.size,
    sendEvent: (text) => {
      for (const stream of streams) stream.write(`data: ${text}\n\n`)
    },
    hold: () => {
      released = new Promise((resolve) => {
        release = resolve
      })
    },
    release: () => {
      release()
      released = undefined
    },
    async close() {
      for (const stream of streams) stream.destroy()
      await closeServer(server)
    },
  }
}

function openStream(response: ServerResponse, streams: Set<ServerResponse>): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  response.flushHeaders()
  streams.add(response)
  response.once('close', () => streams.delete(response))
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  seen: Map<string, number>,
  findRelease: () => Promise<void> | undefined,
): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  const { id, params } = JSON.parse(String(Buffer.concat(chunks))) as EchoCall
  const nonce = params?.arguments?.nonce ?? ''
  seen.set(nonce, (seen.get(nonce) ?? 0) + 1)
  await findRelease()
  const body = JSON.stringify({ jsonrpc: '2.0', id, result: { content: [{ type: 'text', text: nonce }] } })
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }).end(body)
}
