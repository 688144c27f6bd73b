import { connect, type Socket } from 'node:net'
import type { TrafficReport } from '../valid-traffic.ts'
import { type Measured, pause, type Setting, waitUntil } from './measured.ts'

const clients = 2000
const byteEvery = 1000
/** What the header section may take. */
const limit = 10

/** R13: clients that send their header section byte by byte, beside ordinary ones. */
export async function measureSlowHeaders({ proxy, startTraffic }: Setting): Promise<Measured> {
  const traffic = await startTraffic(100)
  const opened = await Promise.all(Array.from({ length: clients }, () => openSlowly(proxy.port)))
  const sockets = opened.map(({ socket }) => socket)
  const closedAfter = opened.map(({ socket, at }) => waitForEnd(socket).then((end) => (end - at) / 1000))
  const dripping = setInterval(() => drip(sockets), byteEvery)
  const allClosed = await waitUntil(() => sockets.every(({ destroyed }) => destroyed), (limit + 5) * 1000)
  clearInterval(dripping)
  for (const socket of sockets) socket.destroy()
  const slowest = Math.max(...(await Promise.all(closedAfter)))
  await pause(500)
  const report = await traffic.ask<TrafficReport>('report')
  return {
    id: 'R13',
    target: `${clients} clients that send a header byte a second: each closed within ${limit} s, no failure of valid calls`,
    measured: {
      allClosed,
      slowestSeconds: Number(slowest.toFixed(2)),
      validCalls: report.calls,
      validFailures: report.failures,
      firstFailure: report.firstFailure,
    },
    pass: allClosed && slowest <= limit && report.calls > 0 && report.failures === 0,
  }
}

/** When it was open counts from here: who attacks begins with a connection, not with the wish for one. */
function openSlowly(port: number): Promise<{ socket: Socket; at: number }> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => {
      // From here on a reset is what we wait for.
      socket.off('error', reject).on('error', () => socket.destroy())
      socket.write('POST /mcp HTTP/1.1\r\nX-Slow: ')
      resolve({ socket, at: performance.now() })
    })
    socket.once('error', reject)
    socket.resume()
  })
}

function drip(sockets: readonly Socket[]): void {
  for (const socket of sockets) if (socket.writable) socket.write('x')
}

/** Returns when that was. */
function waitForEnd(socket: Socket): Promise<number> {
  return new Promise((resolve) => {
    const end = () => resolve(performance.now())
    if (socket.destroyed) end()
    socket.once('close', end)
  })
}
