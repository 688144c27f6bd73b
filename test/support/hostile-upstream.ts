import { createServer, type Socket } from 'node:net'

/** What a hostile upstream does with one request. */
export interface Reaction {
  /** Exactly these bytes, one write for each piece. */
  readonly pieces: readonly (string | Buffer)[]
  /** What becomes of the connection behind them. */
  readonly ending: 'close' | 'reset' | 'keep'
}

export interface HostileUpstream {
  readonly origin: string
  readonly port: number
  /** The text of every request that arrived whole, in order. */
  readonly requests: readonly string[]
  /** How requests are answered from now on, those of {@link isGood} excepted. */
  reactWith(reaction: Reaction | ((socket: Socket, request: string) => void)): void
  close(): Promise<void>
}

/** Whether a request is one that every upstream answers properly: it shows that the proxy still serves. */
export function isGood(request: string): boolean {
  return request.includes('"id":"good-')
}

/** Starts a TCP server on 127.0.0.1 that answers exactly as it is told, whatever HTTP says, and good requests as they should be. */
export async function startHostileUpstream(): Promise<HostileUpstream> {
  const sockets = new Set<Socket>()
  const requests: string[] = []
  let react: (socket: Socket, request: string) => void = (socket) => socket.destroy()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => sockets.delete(socket))
    readRequests(socket, (request) => {
      requests.push(request)
      if (isGood(request)) answerGood(socket, request)
      else react(socket, request)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    origin: `http://127.0.0.1:${port}`,
    port,
    requests,
    reactWith: (reaction) => {
      react = typeof reaction === 'function' ? reaction : (socket) => void perform(socket, reaction)
    },
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Requests of the proxy have a Content-Length or no body. */
function readRequests(socket: Socket, onRequest: (request: string) => void): void {
  let held = ''
  socket.on('data', (chunk) => {
    held += chunk.toString('latin1')
    for (;;) {
      const end = held.indexOf('\r\n\r\n')
      if (end < 0) return
      const length = end + 4 + Number(/^content-length: (\d+)/im.exec(held.slice(0, end))?.[1] ?? 0)
      if (held.length < length) return
      const request = held.slice(0, length)
      held = held.slice(length)
      onRequest(request)
    }
  })
}

function answerGood(socket: Socket, request: string): void {
  const id = /"id":("good-[^"]*")/.exec(request)?.[1]
  const body = `{"jsonrpc":"2.0","id":${id},"result":{}}`
  socket.write(`HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
}

/** Pieces go out in turns of the event loop of their own, so that they arrive apart as far as the system lets. */
async function perform(socket: Socket, { pieces, ending }: Reaction): Promise<void> {
  for (const piece of pieces) {
    if (!socket.writable) return
    await new Promise<void>((resolve) => socket.write(piece, () => setImmediate(resolve)))
  }
  if (ending === 'close') socket.end()
  if (ending === 'reset') socket.resetAndDestroy()
}
