import { createServer as createHttpServer, type ServerResponse } from 'node:http'
import { createServer, type Server, type Socket } from 'node:net'
import { listenOnLoopback } from '../../../src/sandbox/listen.ts'

/** A server that fails in one way. */
export interface FaultyServer {
  readonly url: string
  /** Number of connections that were accepted. */
  countConnections(): number
  close(): Promise<void>
}

/** @param onConnection - what is done to each connection; nothing is ever answered otherwise */
export async function startFaultyServer(onConnection: (socket: Socket) => void, protocol = 'http'): Promise<FaultyServer> {
  let connections = 0
  const server = createServer((socket) => {
    connections += 1
    socket.on('error', () => undefined)
    onConnection(socket)
  })
  return finish(server, protocol, () => connections)
}

/** @param answer - may begin an answer and break it off */
export async function startBreakingServer(answer: (response: ServerResponse) => void): Promise<FaultyServer> {
  let connections = 0
  const server = createHttpServer((request, response) => void request.resume().on('end', () => answer(response)))
  server.on('connection', () => {
    connections += 1
  })
  return finish(server, 'http', () => connections)
}

async function finish(server: Server, protocol: string, countConnections: () => number): Promise<FaultyServer> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket.once('close', () => sockets.delete(socket))))
  const port = await listenOnLoopback(server as Parameters<typeof listenOnLoopback>[0], 0)
  return {
    url: `${protocol}://127.0.0.1:${port}/mcp`,
    countConnections,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve))
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}
