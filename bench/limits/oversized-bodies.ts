import { connect, type Socket } from 'node:net'
import { clientHeaders, formatHead } from '../workload.ts'
import { type Measured, mebibyte, type Setting } from './measured.ts'
import { watchMemory } from './watch-memory.ts'

const clients = 1000
const mostGrowth = 128 * mebibyte
/** Beyond this the run is over: the machine belongs to others too. */
const giveUpAt = 8 * mostGrowth
const bodyLimit = 4 * mebibyte
const deadline = 40_000
const piece = Buffer.alloc(64 * 1024, 0x20)

/** R11: clients with good tokens send more than a body may have, all at the same time, half of them without saying how much. */
export async function measureOversizedBodies({ proxy, tokens }: Setting): Promise<Measured> {
  const before = await proxy.ask<number>('resident')
  const watch = watchMemory(proxy, before + giveUpAt)
  const sends = Array.from({ length: clients }, (_, i) => sendTooMuch(proxy.port, tokens[i % tokens.length] ?? '', i % 2 === 0))
  const tooMuchMemory = watch.exceeded.then(() => 'memory' as const)
  const outcome = await Promise.race([Promise.all(sends.map(({ status }) => status)), tooMuchMemory]).finally(() => {
    for (const { socket } of sends) socket.destroy()
  })
  const most = await watch.stop()
  const growth = (most - before) / mebibyte
  const count = (wanted: number): number => (outcome === 'memory' ? 0 : outcome.filter((status) => status === wanted).length)
  // There is room for so many to wait, and the others are told when to come again.
  const [refused, later] = [count(413), count(503)]
  const cut = clients - refused - later
  return {
    id: 'R11',
    target: `${clients} parallel oversized bodies: all refused (413, or 503 with the time to come again), resident memory grows by at most ${mostGrowth / mebibyte} MiB`,
    measured: { refused, later, cut, growthMiB: Math.round(growth), stoppedEarly: outcome === 'memory' },
    pass: cut === 0 && refused > 0 && most - before <= mostGrowth,
  }
}

interface Send {
  readonly socket: Socket
  /** Of the answer; undefined when the connection was cut without one, or nothing came in time. */
  readonly status: Promise<number | undefined>
}

/** Sends one byte more than permitted, as fast as it is taken, until it is answered. */
function sendTooMuch(port: number, token: string, announced: boolean): Send {
  const socket = connect({ port, host: '127.0.0.1' })
  const length = announced ? { 'Content-Length': String(bodyLimit + 1) } : { 'Transfer-Encoding': 'chunked' }
  socket.write(formatHead('POST', token, { ...clientHeaders, ...length }))
  const framed = announced ? piece : Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')])
  let sent = 0
  const send = (): void => {
    while (sent <= bodyLimit && socket.writable) {
      sent += piece.length
      if (!socket.write(framed)) return
    }
  }
  socket.on('connect', send).on('drain', send)
  return { socket, status: readStatus(socket) }
}

function readStatus(socket: Socket): Promise<number | undefined> {
  return new Promise((resolve) => {
    let received = ''
    socket.setTimeout(deadline, () => socket.destroy())
    socket.on('data', (data) => {
      received += data.toString('latin1')
      const status = /^HTTP\/1\.1 (\d{3}) /.exec(received)?.[1]
      if (status === undefined) return
      resolve(Number(status))
      socket.destroy()
    })
    // A reset is one way of being cut off; what counts is that no answer came.
    socket.on('error', () => resolve(undefined)).on('close', () => resolve(undefined))
  })
}
