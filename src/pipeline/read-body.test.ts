import type { ServerResponse } from 'node:http'
import { describe, expect, it } from 'vitest'
import type { Exchange } from './exchange.ts'
import { readLongBody } from './read-body.ts'

const body = Buffer.from(
  JSON.stringify({
    jsonrpc: '2.0',
    id: 7,
    method: 'tools/call',
    params: { name: 'x', arguments: { text: 'x'.repeat(100_000) } },
  }),
)

/** A request whose body has come, in its room. */
function receive() {
  const state = { isClosed: false, released: 0 }
  const response = {
    get closed() {
      return state.isClosed
    },
  } as ServerResponse
  const exchange = {
    response,
    edge: { limits: { jsonDepth: 128, batchMembers: 100 } },
    record: { principal: undefined, clientAddress: '192.0.2.1' },
    releaseBody: () => {
      state.released += 1
    },
  } as unknown as Exchange
  const leave = (): void => {
    state.isClosed = true
    exchange.releaseBody?.()
  }
  return { exchange, state, leave }
}

describe('the room of a long body', () => {
  it('is kept until the body was read, also where the client leaves: or clients that leave could fill the memory', async () => {
    const { exchange, state, leave } = receive()
    const reading = readLongBody(exchange, body)
    leave()
    expect(state.released).toBe(0)
    await reading.catch(() => undefined)
    expect(state.released).toBe(1)
  })

  it('is given back by the answer, where the client stays', async () => {
    const { exchange, state } = receive()
    await readLongBody(exchange, body)
    expect(state.released).toBe(0)
    exchange.releaseBody?.()
    expect(state.released).toBe(1)
  })
})
