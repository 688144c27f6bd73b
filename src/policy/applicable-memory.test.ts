import { describe, expect, it } from 'vitest'
import type { Operation } from '../core/operation.ts'
import { ANSWER, type Applicable } from './applicable.ts'
import { createApplicableMemory } from './applicable-memory.ts'
import type { Work } from './work.ts'

const operation = (target: string | undefined, more: Partial<Operation> = {}): Operation =>
  ({ kind: 'request', method: 'tools/call', targetKind: 'tool', target, id: '1', ...more }) as Operation

/** A memory, and how often each target was judged. */
function open(left = 1000) {
  const judged: (string | undefined)[] = []
  const work = { left } as Work
  const memory = createApplicableMemory(({ target, targetKind }): Applicable => {
    judged.push(target)
    return { ...ANSWER, targetKind }
  })
  return { judged, ask: (one: Operation) => memory(one, work) }
}

const longest = 256 - 'tools/call'.length

describe('what policy remembers of operations', () => {
  it.each<[string, Operation, number]>([
    ['a short name once', operation('echo'), 1],
    ['a name of the greatest length once', operation('x'.repeat(longest)), 1],
    ['one character more each time: names may be as long as messages', operation('x'.repeat(longest + 1)), 2],
    ['a long method each time', operation(undefined, { method: 'x'.repeat(257), targetKind: undefined }), 2],
    ['what is typed into a template each time', operation('a', { completing: {} as NonNullable<Operation['completing']> }), 2],
  ])('judges %s', (_what, one, times) => {
    const { judged, ask } = open()
    expect(ask(one)).toEqual(ask(one))
    expect(judged).toHaveLength(times)
  })

  it('keeps targets of two kinds, and of two methods, apart', () => {
    const { judged, ask } = open()
    expect(ask(operation('a')).targetKind).toBe('tool')
    expect(ask(operation('a', { targetKind: 'prompt' })).targetKind).toBe('prompt')
    ask(operation('a', { method: 'tools/other' }))
    expect(judged).toHaveLength(3)
  })

  it('relies on no applicable that was cut short', () => {
    const { judged, ask } = open(-1)
    ask(operation('a'))
    ask(operation('a'))
    expect(judged).toHaveLength(2)
  })

  it('forgets all when there are 2,000, and goes on remembering', () => {
    const { judged, ask } = open()
    for (let name = 0; name < 2000; name++) ask(operation(String(name)))
    ask(operation('0'))
    expect(judged).toHaveLength(2000)
    ask(operation('one more'))
    ask(operation('one more'))
    expect(judged).toHaveLength(2001)
    ask(operation('0'))
    expect(judged).toHaveLength(2002)
  })
})
