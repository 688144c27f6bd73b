import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** Carries TCP connections from 127.0.0.1 to another address. */
export interface Relay {
  readonly port: number
  /** Carries nothing any more, in neither direction: what is sent waits, and nobody is told. */
  stall(): void
  resume(): void
  close(): Promise<void>
}

/** @param port - of 127.0.0.1; 0 for a free one */
export async function startRelay(port: number, target: { readonly host: string; readonly port: number }): Promise<Relay> {
  const sockets = new Set<Socket>()
  let isStalled = false
  const keep = (socket: Socket, other: Socket): void => {
    sockets.add(socket)
    socket.setNoDelay(true)
    socket.on('data', (chunk) => {
      if (!other.write(chunk)) socket.pause()
    })
    other.on('drain', () => {
      if (!isStalled) socket.resume()
    })
    socket.on('end', () => other.end())
    socket.on('error', () => other.resetAndDestroy())
    socket.once('close', () => sockets.delete(socket))
    if (isStalled) socket.pause()
  }
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ ...target, allowHalfOpen: true })
    keep(near, far)
    keep(far, near)
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    stall() {
      isStalled = true
      for (const socket of sockets) socket.pause()
    },
    resume() {
      isStalled = false
      for (const socket of sockets) socket.resume()
    },
    async close() {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}
