import { describe, expect, it } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import { createCircuit } from './circuit.ts'

const refused = new Error('connect ECONNREFUSED 10.0.0.7:9000')

function open(connectSeconds = 5) {
  const clock = createFakeClock()
  const changes: string[] = []
  const circuit = createCircuit('http://10.0.0.7:9000/mcp', {
    clock,
    connectSeconds,
    onChange: ({ circuit: position }) => changes.push(position),
  })
  const fail = (times: number): void => {
    for (let i = 0; i < times; i++) {
      circuit.findRefusal()
      circuit.failed(refused)
    }
  }
  return { clock, changes, circuit, fail }
}

describe('the circuit of an upstream', () => {
  it('lets calls through until the fifth failure to connect in a row', () => {
    const { circuit, changes, fail } = open()
    fail(4)
    expect([circuit.findRefusal(), circuit.state().circuit, changes]).toEqual([undefined, 'closed', []])
    circuit.connected()
    fail(4)
    expect([circuit.findRefusal(), changes]).toEqual([undefined, []])
    fail(1)
    expect([circuit.findRefusal()?.reason, changes]).toEqual(['circuit_open', ['open']])
  })

  it('says when to try again, and why nothing is tried', () => {
    const { circuit, clock, fail } = open()
    fail(5)
    clock.advance(1400)
    const { code, retryAfter, cause } = circuit.findRefusal() ?? {}
    expect({ code, retryAfter, cause }).toEqual({
      code: 'upstream_unreachable',
      retryAfter: 4,
      cause: 'http://10.0.0.7:9000/mcp could not be reached 5 times: connect ECONNREFUSED 10.0.0.7:9000',
    })
  })

  it('lets one call through after five seconds, and the others once that one has a connection', () => {
    const { circuit, clock, changes, fail } = open()
    fail(5)
    clock.advance(4999)
    expect(circuit.findRefusal()?.reason).toBe('circuit_open')
    clock.advance(1)
    expect(circuit.findRefusal()).toBeUndefined()
    expect(circuit.state().circuit).toBe('half_open')
    expect(circuit.findRefusal()?.reason).toBe('circuit_open')
    circuit.connected()
    expect([circuit.findRefusal(), circuit.findRefusal(), changes]).toEqual([undefined, undefined, ['open', 'closed']])
  })

  it('waits for five seconds more when that one fails, without saying again that it is open', () => {
    const { circuit, clock, changes, fail } = open()
    fail(5)
    clock.advance(5000)
    fail(1)
    clock.advance(4999)
    expect(circuit.findRefusal()?.reason).toBe('circuit_open')
    clock.advance(1)
    expect([circuit.findRefusal(), changes]).toEqual([undefined, ['open']])
  })

  it('tries another call where that one neither connects nor fails in the time to connect', () => {
    const { circuit, clock, fail } = open(2)
    fail(5)
    clock.advance(5000)
    expect(circuit.findRefusal()).toBeUndefined()
    clock.advance(6999)
    expect(circuit.findRefusal()?.reason).toBe('circuit_open')
    clock.advance(1)
    expect(circuit.findRefusal()).toBeUndefined()
  })

  it('is not kept open by calls that were on their way when it opened, and closes for one that gets through', () => {
    const { circuit, clock, changes, fail } = open()
    fail(5)
    clock.advance(3000)
    circuit.failed(refused)
    clock.advance(1000)
    circuit.connected()
    expect([circuit.findRefusal(), changes]).toEqual([undefined, ['open', 'closed']])
  })

  it.each(['EMFILE', 'ENFILE', 'ENOMEM', 'ENOBUFS', 'EADDRNOTAVAIL'])(
    'does not blame the server for what this machine is short of: %s',
    (code) => {
      const { circuit, changes } = open()
      for (let i = 0; i < 20; i++) circuit.failed(Object.assign(new Error(`connect ${code}`), { code }))
      expect([circuit.findRefusal(), circuit.state().lastFailure, changes]).toEqual([undefined, undefined, []])
    },
  )

  it('tells of the last failure after it has closed', () => {
    const { circuit, clock, fail } = open()
    const at = clock.wall()
    fail(1)
    clock.advance(60_000)
    circuit.connected()
    expect(circuit.state()).toEqual({
      address: 'http://10.0.0.7:9000/mcp',
      circuit: 'closed',
      lastFailure: { cause: refused.message, at },
    })
  })
})
