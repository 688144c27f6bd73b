import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type Dispatcher, Pool } from 'undici'
import { listenOnLoopback } from '../src/sandbox/listen.ts'
import { serveProbe } from './probe.ts'

/**
 * The yardstick: the least that a process on `node:http` and undici can do between a client and an upstream. It knows no token, no
 * JSON and no log; it passes requests and answers on without the headers of one connection (RFC 9110 §7.6.1), with back-pressure, and
 * gives up a request whose client is gone. What a proxy costs on top of this is what its checks cost.
 *
 * The first argument names the upstream's port.
 */

const hopByHop = new Set([
  'host',
  'connection',
  'content-length',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

const { upstreamPort } = JSON.parse(process.argv[2] ?? '') as { upstreamPort: number }
const pool = new Pool(`http://127.0.0.1:${upstreamPort}`, { pipelining: 1, bodyTimeout: 0, keepAliveTimeout: 4000 })

const server = createServer((request, response) => {
  if (request.method !== 'POST') return send(request, response, null)
  const pieces: Buffer[] = []
  request.on('data', (piece: Buffer) => pieces.push(piece))
  request.on('end', () => send(request, response, pieces.length === 1 ? (pieces[0] ?? null) : Buffer.concat(pieces)))
})

function send({ url = '', method = '', rawHeaders }: IncomingMessage, response: ServerResponse, body: Buffer | null): void {
  const headers: string[] = []
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? ''
    if (!isHopByHop(name)) headers.push(name, rawHeaders[i + 1] ?? '')
  }
  pool.dispatch({ path: url, method, headers, body }, createHandler(response))
}

/** By the name as it was sent: the same dozen comes with every request, and lowering its case again each time would cost more. */
const known = new Map<string, boolean>()

function isHopByHop(name: string): boolean {
  let is = known.get(name)
  if (is === undefined) {
    is = hopByHop.has(name.toLowerCase())
    if (known.size < 1000) known.set(name, is)
  }
  return is
}

function createHandler(response: ServerResponse): Dispatcher.DispatchHandler {
  return {
    onRequestStart(controller) {
      response.on('close', () => {
        if (!response.writableFinished) controller.abort(new Error('the client is gone'))
      })
      response.on('drain', () => controller.resume())
    },
    onResponseStart(_controller, status, headers) {
      if (status < 200) return
      const kept: string[] = []
      for (const name in headers) {
        const value = headers[name]
        if (value === undefined || (name !== 'content-length' && hopByHop.has(name))) continue
        if (typeof value === 'string') kept.push(name, value)
        else for (const each of value) kept.push(name, each)
      }
      response.writeHead(status, kept)
      // Headers of a stream go ahead; a short answer goes out in one piece.
      if (headers['content-length'] === undefined) response.flushHeaders()
    },
    onResponseData(controller, chunk) {
      if (!response.write(chunk)) controller.pause()
    },
    onResponseEnd() {
      response.end()
    },
    onResponseError() {
      if (response.headersSent) response.destroy()
      else response.writeHead(502).end()
    },
  }
}

serveProbe(await listenOnLoopback(server, 0))
