import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { measureMemory } from '../../../../test/support/memory.ts'
import { LineReader } from './line-reader.ts'

function read(chunks: readonly Buffer[], maxBytes = 1000) {
  const seen: (string | { head: string; tail: string })[] = []
  const reader = new LineReader(maxBytes, {
    line: (line) => seen.push(line.toString('latin1')),
    tooLong: (head, tail) => seen.push({ head: head.toString('latin1'), tail: tail.toString('latin1') }),
  })
  for (const chunk of chunks) reader.push(chunk)
  reader.end()
  return seen
}

describe('lines of a stream', () => {
  it('are the same however the stream is cut', () => {
    const bytes = fc.string({ unit: fc.constantFrom('a', 'é', '\n', '\r', '\u2028', '{'), maxLength: 60 })
    fc.assert(
      fc.property(bytes, fc.array(fc.nat(80), { maxLength: 6 }), (text, cuts) => {
        const whole = Buffer.from(text)
        const places = [...cuts, whole.length].sort((a, b) => a - b)
        const chunks = places.map((place, index) => whole.subarray(places[index - 1] ?? 0, place))
        const expected = whole.toString('latin1').split('\n')
        if (expected.at(-1) === '') expected.pop()
        expect(read(chunks)).toEqual(expected)
      }),
    )
  })

  it('are kept by their two ends alone when they are too long, and the next one is whole', () => {
    const long = Buffer.from(`HEAD${'x'.repeat(9000)}TAIL\nnext\n`)
    const pieces = Array.from({ length: Math.ceil(long.length / 700) }, (_, i) => long.subarray(i * 700, (i + 1) * 700))
    for (const chunks of [[long], pieces]) {
      const [first, second] = read(chunks, 2000)
      expect(first).toMatchObject({ head: expect.stringMatching(/^HEADx{1020}$/), tail: expect.stringMatching(/^x{1020}TAIL$/) })
      expect(second).toBe('next')
    }
  })

  it('take little more than their bytes when they come in single ones', () => {
    const bytes = 1024 * 1024
    let length = 0
    const take = (line: Buffer) => {
      length = line.length
    }
    const reader = new LineReader(2 * bytes, { line: take, tooLong: () => undefined })
    const before = measureMemory()
    for (let i = 0; i < bytes; i++) reader.push(Buffer.from(new ArrayBuffer(1)))
    expect(measureMemory() - before).toBeLessThan(4 * bytes)
    reader.push(Buffer.from('\n'))
    expect(length).toBe(bytes)
  })
})
