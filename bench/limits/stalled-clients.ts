import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { TrafficReport } from '../valid-traffic.ts'
import { clientHeaders, formatCall, formatRequest } from '../workload.ts'
import { type Measured, mebibyte, pause, type Setting, waitUntil } from './measured.ts'
import { watchMemory } from './watch-memory.ts'

const clients = 100
const mostGrowth = 64 * mebibyte
const giveUpAt = 8 * mostGrowth
/** As configured, and the interval at which it is looked at. */
const cutAfter = 60_000 + 5000
const callsPerSecond = 100
/** What the upstream sends; each kind is read and written in another way. */
const answers = ['flood_json', 'flood_events'] as const

/** R9: clients that read nothing of a long answer, beside ordinary ones. */
export async function measureStalledClients({ proxy, upstream, tokens, startTraffic }: Setting): Promise<Measured> {
  const traffic = await startTraffic(callsPerSecond)
  await pause(5000)
  await traffic.ask<TrafficReport>('report')
  await pause(5000)
  const quiet = await traffic.ask<TrafficReport>('report')
  const before = await proxy.ask<number>('resident')
  const watch = watchMemory(proxy, before + giveUpAt)
  const sockets = await Promise.all(
    Array.from({ length: clients }, (_, i) => stall(proxy.port, tokens[i % tokens.length] ?? '', i)),
  )
  const startedAt = performance.now()
  // Until then the buffers of the system fill, which takes all of both processors.
  await pause(10_000)
  await traffic.ask<TrafficReport>('report')
  await pause(10_000)
  const busy = await traffic.ask<TrafficReport>('report')
  const settled = await proxy.ask<number>('resident')
  // Clients that don't read don't see the reset. Their calls end at the upstream.
  const cut = await waitUntil(async () => (await upstream.ask<number>('flooding')) === 0, cutAfter)
  const cutAt = performance.now() - startedAt
  for (const socket of sockets) socket.destroy()
  const most = await watch.stop()
  await traffic.stop()
  const after = await proxy.ask<number>('resident')
  return {
    id: 'R9',
    target: `${clients} clients that read nothing of 64 MiB: resident memory grows by at most ${mostGrowth / mebibyte} MiB, other calls' p99 at most doubles, stalled clients are cut after 60 s`,
    measured: {
      growthMiB: Math.round((most - before) / mebibyte),
      heldMiB: Math.round((settled - before) / mebibyte),
      leftMiB: Math.round((after - before) / mebibyte),
      p99Before: Number(quiet.p99.toFixed(2)),
      p99: Number(busy.p99.toFixed(2)),
      failures: busy.failures,
      cut,
      cutAfterSeconds: Number((cutAt / 1000).toFixed(1)),
    },
    pass: cut && most - before <= mostGrowth && busy.failures === 0 && busy.p99 <= Math.max(2 * quiet.p99, 5),
  }
}

/** Sends a call whose answer is long, and reads nothing from then on. Resolves when the answer has begun. */
async function stall(port: number, token: string, client: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' })
  // A reset is what ends it.
  socket.on('error', () => socket.destroy())
  await once(socket, 'connect')
  socket.write(formatRequest(token, formatCall(client, answers[client % answers.length]), clientHeaders))
  await once(socket, 'readable')
  return socket
}
