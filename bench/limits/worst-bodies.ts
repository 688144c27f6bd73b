import { once } from 'node:events'
import { connect } from 'node:net'
import { startChild } from '../child.ts'
import { calledTool } from '../plan.ts'
import type { TrafficReport } from '../valid-traffic.ts'
import { formatRequest } from '../workload.ts'
import { type Measured, pause, type Setting } from './measured.ts'

const senders = 2
const seconds = 10
const keys = 100_000
const depth = 120
const bodyBytes = 4 * 1024 * 1024
const mostDelay = 50

/** R12: clients that send the worst body that is accepted, again and again, beside ordinary ones. */
export async function measureWorstBodies({ proxy, tokens, startTraffic }: Setting): Promise<Measured> {
  const traffic = await startTraffic(100)
  await pause(5000)
  await traffic.ask<TrafficReport>('report')
  const idle = await startChild('bystander.ts')
  await Promise.all([proxy, idle].map((child) => child.ask('startDelays')))
  const until = performance.now() + seconds * 1000
  const sent = Array.from({ length: senders }, async (_, sender) => {
    let bodies = 0
    while (performance.now() < until) {
      await send(proxy.port, tokens[sender] ?? '', formatWorstBody(`${sender}-${bodies}`))
      bodies++
    }
    return bodies
  })
  const bodies = (await Promise.all(sent)).reduce((sum, each) => sum + each, 0)
  const delay = await proxy.ask<number>('delayP999')
  const idleDelay = await idle.ask<number>('delayP999')
  const work = await proxy.ask<number>('workP999')
  await idle.stop()
  const report = await traffic.ask<TrafficReport>('report')
  return {
    id: 'R12',
    target: `${senders} senders of a body of 4 MiB with ${keys} keys, ${depth} levels deep: the event loop is delayed by at most ${mostDelay} ms (p99.9)`,
    measured: {
      bodies,
      delayP999: Number(delay.toFixed(1)),
      idleDelayP999: Number(idleDelay.toFixed(1)),
      workP999: Number(work.toFixed(1)),
      validCalls: report.calls,
      validFailures: report.failures,
      p99: Number(report.p99.toFixed(1)),
    },
    // How long an idle process beside it is delayed, the machine makes of it.
    pass: bodies >= senders && report.failures === 0 && delay <= mostDelay + idleDelay,
  }
}

function formatWorstBody(id: string): string {
  const deep = `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`
  const head = `{"jsonrpc":"2.0","id":"${id}","method":"tools/call","params":{"name":"${calledTool}","arguments":{"days":3,"deep":${deep}`
  const members: string[] = [head]
  const each = Math.floor((bodyBytes - head.length) / keys)
  for (let key = 0; key < keys; key++) members.push(`"${String(key).padEnd(each - 6, 'k')}":1`)
  return `${members.join(',').slice(0, bodyBytes)}}}}`
}

async function send(port: number, token: string, body: string): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1' })
  socket.write(formatRequest(token, body))
  let received = ''
  while (!received.includes('\r\n\r\n')) {
    const [piece] = (await once(socket, 'data')) as [Buffer]
    received += piece.toString('latin1')
  }
  socket.destroy()
  if (!received.startsWith('HTTP/1.1 200')) throw new Error(`a body was refused: ${received.slice(0, 300)}`)
}
