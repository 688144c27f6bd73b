import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { closeServer, listenOnLoopback } from '../../src/sandbox/listen.ts'

/** One thing that a proxy may do wrong. */
export type Fault = 'drop-session-id' | 'drop-last-event-id' | 'no-delete' | 'drop-name' | 'drop-version'

const droppedRequestHeaders: Readonly<Partial<Record<Fault, string>>> = {
  'drop-last-event-id': 'last-event-id',
  'drop-name': 'mcp-name',
  'drop-version': 'mcp-protocol-version',
}

/** Starts a proxy that passes everything on but for one fault. It shows that the suite would notice such a fault in ours. */
export async function startMutatingProxy(upstreamPort: number, fault: Fault) {
  const server = createServer((incoming, response) => {
    if (fault === 'no-delete' && incoming.method === 'DELETE') response.writeHead(405).end()
    else forward(incoming, response, upstreamPort, fault)
  })
  const port = await listenOnLoopback(server, 0)
  return { url: `http://localhost:${port}/mcp`, close: () => closeServer(server) }
}

function forward(incoming: IncomingMessage, response: ServerResponse, port: number, fault: Fault): void {
  const { [droppedRequestHeaders[fault] ?? '']: _dropped, connection: _hop, ...headers } = incoming.headers
  const outgoing = request({ host: '127.0.0.1', port, method: incoming.method, path: incoming.url, headers })
  outgoing.on('response', (answer) => answerWith(answer, response, fault))
  outgoing.on('error', () => response.destroy())
  response.on('close', () => outgoing.destroy())
  incoming.pipe(outgoing)
}

function answerWith(answer: IncomingMessage, response: ServerResponse, fault: Fault): void {
  const { connection: _hop, 'keep-alive': _too, 'transfer-encoding': _framing, ...headers } = answer.headers
  if (fault === 'drop-session-id') delete headers['mcp-session-id']
  response.writeHead(answer.statusCode ?? 502, headers)
  response.flushHeaders()
  answer.pipe(response)
}
