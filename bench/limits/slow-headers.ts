import { connect, type Socket } from 'node:net'
import type { TrafficReport } from '../valid-traffic.ts'
import { type Measured, pause, type Setting, waitUntil } from './measured.ts'

const clients = 2000
const byteEvery = 1000
/** What the header section may take, and how often that is looked at. */
const headersSeconds = 10
const checkingSeconds = 0.5
/** For closing so many sockets at once on a busy machine. */
const marginSeconds = 1

/** R13: clients that send their header section byte by byte, beside ordinary ones. */
export async function measureSlowHeaders({ proxy, startTraffic }: Setting): Promise<Measured> {
  const traffic = await startTraffic(100)
  const openedAt = performance.now()
  const sockets = await Promise.all(Array.from({ length: clients }, () => openSlowly(proxy.port)))
  const closedAfter = sockets.map((socket) => waitForEnd(socket).then(() => (performance.now() - openedAt) / 1000))
  const dripping = setInterval(() => drip(sockets), byteEvery)
  const limit = headersSeconds + checkingSeconds + marginSeconds
  const allClosed = await waitUntil(() => sockets.every(({ destroyed }) => destroyed), (limit + 5) * 1000)
  clearInterval(dripping)
  for (const socket of sockets) socket.destroy()
  const slowest = Math.max(...(await Promise.all(closedAfter)))
  await pause(500)
  const report = await traffic.ask<TrafficReport>('report')
  return {
    id: 'R13',
    target: `${clients} clients that send a header byte a second: closed within ${limit} s, no failure of valid calls`,
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

function openSlowly(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => {
      // From here on a reset is what we wait for.
      socket.off('error', reject).on('error', () => socket.destroy())
      socket.write('POST /mcp HTTP/1.1\r\nX-Slow: ')
      resolve(socket)
    })
    socket.once('error', reject)
    socket.resume()
  })
}

function drip(sockets: readonly Socket[]): void {
  for (const socket of sockets) if (socket.writable) socket.write('x')
}

function waitForEnd(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.destroyed) resolve()
    socket.once('close', () => resolve())
  })
}
