import { describe, expect, it } from 'vitest'
import { createDocumentTurns, NoTurnError } from './document-turns.ts'

function start() {
  let now = 0
  const turns = createDocumentTurns(() => now)
  /** Begins a fetch that never ends by itself. */
  const hang = (asker: string, host: string) => {
    const state: { outcome: 'running' | 'refused' | 'aborted' } = { outcome: 'running' }
    let hasBegun = false
    turns
      .take({ asker, host }, (signal) => {
        hasBegun = true
        return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      })
      .catch((error: unknown) => {
        if (!(error instanceof NoTurnError)) throw error
        state.outcome = hasBegun ? 'aborted' : 'refused'
      })
    return state
  }
  const pass = (milliseconds: number) => {
    now += milliseconds
  }
  return { turns, hang, pass }
}

const settle = () => new Promise((resolve) => setImmediate(resolve))

async function count(states: readonly { outcome: string }[]) {
  await settle()
  const count = (outcome: string) => states.filter((state) => state.outcome === outcome).length
  return { running: count('running'), refused: count('refused'), aborted: count('aborted') }
}

describe('fetches that strangers cause', () => {
  it('are two at a time for one network at one host, and eight in all', async () => {
    const { hang } = start()
    expect(await count(Array.from({ length: 80 }, () => hang('a', 'tarpit')))).toEqual({ running: 2, refused: 78, aborted: 0 })
    expect(await count(Array.from({ length: 80 }, (_, index) => hang('a', `host-${index}`)))).toMatchObject({ running: 6 })
  })

  it('are eight at a time at one host, however many networks name it, and leave the other hosts alone', async () => {
    const { hang } = start()
    expect(await count(Array.from({ length: 80 }, (_, index) => hang(`a${index}`, 'tarpit')))).toMatchObject({ running: 8 })
    expect(await count([hang('b', 'honest')])).toMatchObject({ running: 1 })
  })

  it('of the network with the most give way to others when all turns are taken', async () => {
    const { hang } = start()
    const greedy = Array.from({ length: 64 }, (_, index) => hang(`a${index % 8}`, `tarpit-${index}`))
    expect(await count(greedy)).toMatchObject({ running: 64 })
    expect(await count([hang('b', 'honest')])).toMatchObject({ running: 1 })
    expect(await count(greedy)).toMatchObject({ running: 63, aborted: 1 })
  })

  it('give way to an equal only after a second, the longest first', async () => {
    const { hang, pass } = start()
    const first = hang('a0', 'tarpit-0')
    pass(1)
    const others = Array.from({ length: 63 }, (_, index) => hang(`a${index + 1}`, `tarpit-${index + 1}`))
    expect(await count([hang('b', 'honest')])).toMatchObject({ refused: 1 })
    pass(999)
    expect(await count([hang('b', 'honest')])).toMatchObject({ running: 1 })
    expect(await count([first])).toMatchObject({ aborted: 1 })
    expect(await count(others)).toMatchObject({ running: 63 })
  })

  it('give way to newer ones of the same network after a second', async () => {
    const { hang, pass } = start()
    const old = Array.from({ length: 8 }, (_, index) => hang('a', `tarpit-${index}`))
    pass(1000)
    expect(await count([hang('a', 'honest')])).toMatchObject({ running: 1 })
    expect(await count(old)).toMatchObject({ running: 7, aborted: 1 })
  })

  it('give their turn back when they end, whether well or not', async () => {
    const { turns } = start()
    for (let time = 0; time < 100; time++) {
      expect(await turns.take({ asker: 'a', host: 'h' }, async () => 'document')).toBe('document')
      await turns.take({ asker: 'a', host: 'h' }, () => Promise.reject(new Error('broken'))).catch(() => {})
    }
  })
})
