import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { closeServer, listenOnLoopback } from '../../../src/sandbox/listen.ts'

/**
 * An MCP server over HTTP that answers each call with the subject of its token and its `nonce`, so that an answer shows whose it is.
 * The tool `stream` answers with events, and `slow` after a while.
 */
export interface MirrorServer {
  readonly url: string
  /** How often each call arrived, by its nonce. */
  readonly seen: ReadonlyMap<string, number>
  /** Number of event streams that are open. */
  countStreams(): number
  close(): Promise<void>
}

interface MirrorCall {
  readonly id?: unknown
  readonly params?: { readonly name?: string; readonly arguments?: { readonly nonce?: string } }
}

const SLOW_MS = 300
const EVENT_MS = 50

/** @param idleMs - how long connections are kept without a request: no test may lose a call to that */
export async function startMirrorServer(idleMs = 300_000): Promise<MirrorServer> {
  const seen = new Map<string, number>()
  const streams = new Set<ServerResponse>()
  const server = createServer((request, response) => {
    if (request.method === 'GET') openStream(request, response, streams)
    else answer(request, response, seen).catch(() => response.destroy())
  })
  server.keepAliveTimeout = idleMs
  const port = await listenOnLoopback(server, 0)
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    seen,
    countStreams: () => streams.size,
    async close() {
      for (const stream of streams) stream.destroy()
      await closeServer(server)
    },
  }
}

/** Who calls, as the forwarded token says. */
function readSubject({ headers }: IncomingMessage): string {
  const claims = headers.authorization?.split('.')[1] ?? ''
  return (JSON.parse(Buffer.from(claims, 'base64url').toString() || '{}') as { sub?: string }).sub ?? 'nobody'
}

function formatResult({ id, params }: MirrorCall, subject: string): string {
  const text = `${subject} ${params?.arguments?.nonce ?? ''}`
  return JSON.stringify({ jsonrpc: '2.0', id, result: { content: [{ type: 'text', text }] } })
}

async function answer(request: IncomingMessage, response: ServerResponse, seen: Map<string, number>): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  const message = JSON.parse(String(Buffer.concat(chunks))) as MirrorCall | MirrorCall[]
  const calls = [message].flat()
  for (const { params } of calls) {
    const nonce = params?.arguments?.nonce ?? ''
    seen.set(nonce, (seen.get(nonce) ?? 0) + 1)
  }
  const subject = readSubject(request)
  const results = calls.map((call) => formatResult(call, subject))
  const [first] = calls
  if (first?.params?.name === 'slow') await new Promise((resolve) => setTimeout(resolve, SLOW_MS))
  if (first?.params?.name === 'stream') return sendEvents(response, results[0] ?? '')
  const body = Array.isArray(message) ? `[${results.join(',')}]` : (results[0] ?? '')
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }).end(body)
}

async function sendEvents(response: ServerResponse, result: string): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  for (const progress of [1, 2]) {
    response.write(formatNotification(`step ${progress}`))
    await new Promise((resolve) => setTimeout(resolve, EVENT_MS))
  }
  response.end(`data: ${result}\n\n`)
}

function formatNotification(data: string): string {
  return `data: ${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data } })}\n\n`
}

/** A stream whose every event names the user that it is for. */
function openStream(request: IncomingMessage, response: ServerResponse, streams: Set<ServerResponse>): void {
  const subject = readSubject(request)
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  response.flushHeaders()
  streams.add(response)
  let sent = 0
  const timer = setInterval(() => response.write(formatNotification(`${subject} ${++sent}`)), EVENT_MS * 4)
  response.once('close', () => {
    clearInterval(timer)
    streams.delete(response)
  })
}
