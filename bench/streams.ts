import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Child } from './child.ts'
import { formatHead } from './workload.ts'

/** Streams that are opened at the same time; more would only queue up. */
const atOnce = 100

/**
 * Opens idle event streams, each on a connection of its own and with the next of the tokens.
 *
 * @returns ends them
 * @throws Error when one is refused
 */
export async function openStreams(port: number, count: number, tokens: readonly string[]): Promise<() => Promise<void>> {
  const sockets: Socket[] = []
  const open = async (lane: number): Promise<void> => {
    for (let i = lane; i < count; i += atOnce) sockets.push(await openStream(port, tokens[i % tokens.length] ?? ''))
  }
  await Promise.all(Array.from({ length: atOnce }, (_, lane) => open(lane)))
  return async () => {
    const closed = sockets.map((socket) => once(socket, 'close'))
    for (const socket of sockets) socket.destroy()
    await Promise.all(closed)
  }
}

/** Resolves when the first event has come. */
async function openStream(port: number, token: string): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' })
  socket.write(formatHead('GET', token, { Accept: 'text/event-stream', 'MCP-Protocol-Version': '2025-11-25' }))
  let received = ''
  while (!received.includes('data: ')) {
    const [piece] = (await once(socket, 'data')) as [Buffer]
    received += piece.toString('latin1')
    if (!received.startsWith('HTTP/1.1 200')) throw new Error(`a stream was refused: ${received.split('\r\n')[0]}`)
  }
  return socket
}

/**
 * Measures what idle event streams hold of a process's resident memory.
 *
 * @param count - how many
 * @returns KiB for each
 */
export async function measureStreams(child: Child, count: number, tokens: readonly string[]): Promise<number> {
  // What every process takes with its first streams, and keeps, is not theirs.
  const closeFirst = await openStreams(child.port, atOnce, tokens)
  await closeFirst()
  const before = await child.ask<number>('resident')
  const close = await openStreams(child.port, count, tokens)
  const after = await child.ask<number>('resident')
  await close()
  return (after - before) / count / 1024
}
