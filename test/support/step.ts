import type { Call } from '../../src/core/call.ts'
import type { Upstream } from '../../src/core/ports.ts'
import type { Reply } from '../../src/core/reply.ts'
import type { Route } from '../../src/core/route.ts'
import type { Edge } from '../../src/pipeline/edge.ts'
import { type Gate, openGate } from './gate.ts'
import { sendRaw } from './raw-client.ts'

/** A gate for the tests of one step: its upstream answers as it is told to, and the calls that reached it can be looked at. */
export interface StepGate extends Gate {
  readonly calls: readonly Call[]
  /** Sends a request line and header fields, without `Host`, and a body. */
  sendLines(lines: readonly string[], body?: string): ReturnType<typeof sendRaw>
}

const answerNothing = (_call: Call, reply: Reply): void => {
  reply.start(202, {})
  reply.end()
}

/** @param answer - what the upstream does with a call; 202 unless given */
export async function openStepGate(
  changes: Partial<Route> = {},
  edge: Partial<Edge> = {},
  answer = answerNothing,
): Promise<StepGate> {
  const calls: Call[] = []
  const upstream: Upstream = {
    send(call, reply) {
      calls.push(call)
      answer(call, reply)
    },
    close: async () => undefined,
  }
  const gate = await openGate(upstream, changes, edge)
  const { host, port } = new URL(gate.origin)
  const sendLines = ([first = '', ...fields]: readonly string[], body = '') =>
    sendRaw(Number(port), [first, `Host: ${host}`, 'Connection: close', ...fields, '', body].join('\r\n'))
  return { ...gate, calls, sendLines }
}
