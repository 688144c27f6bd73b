import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { listenOnLoopback } from '../src/sandbox/listen.ts'
import { serveProbe } from './probe.ts'

/**
 * An MCP server that does next to nothing: it answers every call with a small result. The tool `hang` never answers, the tool `stream`
 * and every GET begin an event stream and leave it at that, `event_stream` sends 200 events and flushes each, `event_trickle`
 * each in a turn of its own, `long_answer` a result of 1 MiB.
 */

const event =
  'event: message\ndata: {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"hello"}}\n\n'

const sockets = new Set<Socket>()
const running = new Set<ServerResponse>()
/** Answers that are sent as fast as they are taken. */
const flooding = new Set<ServerResponse>()
/** When calls were given up by whoever made them: milliseconds since the epoch, by the id of the call. */
const givenUp = new Map<unknown, number>()
/** Calls that wait for an answer which never comes, and that nobody has asked about yet: their ids. */
const waiting: unknown[] = []
let begun = 0

const FLOOD_BYTES = 64 * 1024 * 1024
const FLOOD_PIECE = 64 * 1024
const EVENTS = 200

const longAnswer = createLongAnswer(1024 * 1024)

function createLongAnswer(bytes: number): Buffer {
  const format = (text: string): string => `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"${text}"}]}}`
  return Buffer.from(format('x'.repeat(bytes - format('').length)))
}

const server = createServer((request, response) => {
  begun++
  running.add(response)
  response.on('close', () => running.delete(response))
  if (request.method === 'POST') readCall(request, response)
  else beginStream(response)
})
server.on('connection', (socket: Socket) => {
  sockets.add(socket)
  socket.on('close', () => sockets.delete(socket))
})

function readCall(request: IncomingMessage, response: ServerResponse): void {
  const pieces: Buffer[] = []
  request.on('data', (piece: Buffer) => pieces.push(piece))
  request.on('end', () => {
    const { id, params } = JSON.parse(Buffer.concat(pieces).toString()) as { id: unknown; params?: { name?: string } }
    if (params?.name === 'flood_json' || params?.name === 'flood_events') return flood(response, params.name)
    if (params?.name === 'event_stream') return sendEvents(response, process.nextTick)
    if (params?.name === 'event_trickle') return sendEvents(response, setImmediate)
    if (params?.name === 'long_answer') return sendLongAnswer(response)
    if (params?.name !== 'hang' && params?.name !== 'stream') return sendResult(response, id)
    response.on('close', () => givenUp.set(id, Date.now()))
    if (params.name === 'stream') beginStream(response)
    else waiting.push(id)
  })
}

function sendResult(response: ServerResponse, id: unknown): void {
  const body = `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":{"content":[{"type":"text","text":"It is 21 degrees in Oslo."}]}}`
  response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) })
  response.end(body)
}

function beginStream(response: ServerResponse): void {
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' })
  response.write(event)
}

/**
 * Flushes each event: Node writes together what it is given at once.
 *
 * @param defer - `nextTick`: as a loop does that writes and flushes, the next is written before any other work. `setImmediate`: after
 * what other streams have to write
 */
function sendEvents(response: ServerResponse, defer: (send: () => void) => void): void {
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' })
  let left = EVENTS
  const sendNext = (): void => {
    response.write(event)
    left--
    if (left > 0) defer(sendNext)
    else response.end()
  }
  sendNext()
}

function sendLongAnswer(response: ServerResponse): void {
  response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': longAnswer.length }).end(longAnswer)
}

/** Sends a long answer as fast as it is taken. */
function flood(response: ServerResponse, name: 'flood_json' | 'flood_events'): void {
  const type = name === 'flood_json' ? 'application/json' : 'text/event-stream'
  response.writeHead(200, { 'Content-Type': type })
  if (name === 'flood_json') response.write('{"jsonrpc":"2.0","id":1,"result":{"text":"')
  const piece = name === 'flood_json' ? Buffer.alloc(FLOOD_PIECE, 'x') : Buffer.from(`data: ${'x'.repeat(FLOOD_PIECE - 8)}\n\n`)
  let left = FLOOD_BYTES
  flooding.add(response)
  response.on('close', () => flooding.delete(response))
  const send = (): void => {
    while (left > 0) {
      left -= piece.length
      if (!response.write(piece)) return
    }
    response.end(name === 'flood_json' ? '"}}' : undefined)
  }
  response.on('drain', send)
  send()
}

serveProbe(await listenOnLoopback(server, 0), {
  /** Requests that have reached us, since the start. */
  begun: () => begun,
  running: () => running.size,
  flooding: () => flooding.size,
  sockets: () => sockets.size,
  /** Ids of the calls that wait, each told once. */
  waiting: () => waiting.splice(0),
  givenUp: () => [...givenUp],
})
