import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { UNACCOUNTED } from '../../core/held-memory.ts'
import { HeldBytes } from './held-bytes.ts'
import { createEventSplitter } from './split-events.ts'

/** The pieces of a stream that comes in these chunks, and what is left of it. */
function split(chunks: readonly string[]): string[] {
  const held = new HeldBytes({ memory: UNACCOUNTED })
  const cut = createEventSplitter(held)
  const pieces = chunks.flatMap((chunk) => cut(Buffer.from(chunk)))
  return [...pieces, held.take()].map(String).filter((piece) => piece !== '')
}

const read = 64 * 1024

describe('an event stream is cut', () => {
  it.each(['\n', '\r', '\r\n', ':\n', ': x\r\n\r\n'])(
    'into a few pieces where it has nothing but %j, since each piece is looked at',
    (line) => {
      const chunk = line.repeat(read / line.length)
      const pieces = split([chunk, chunk])
      expect(pieces.join('')).toBe(chunk + chunk)
      expect(pieces.length).toBeLessThan(2 * (read / 1000 + 2))
    },
  )

  it('into its events, with what stands between them apart', () => {
    expect(split([': a\n\n:b\ndata: 1\n: c\ndata: 2\n\n\n\nid: 3\r\n\r\n: d\r\nevent'])).toEqual([
      ': a\n\n:b\n',
      'data: 1\n: c\ndata: 2\n\n',
      '\n\n',
      'id: 3\r\n\r\n',
      ': d\r\n',
      'event',
    ])
  })

  it('at the end of each chunk behind a complete line between events', () => {
    expect(split([': a\n', ':\n\n: b', 'c\n\nda', 'ta: 1\n', '\n: d\r', '\n\r\n'])).toEqual([
      ': a\n',
      ':\n\n',
      ': bc\n\n',
      'data: 1\n\n',
      ': d\r',
      '\n',
      '\r\n',
    ])
  })

  it('so that no event is in two pieces, and no piece has two, however it comes', () => {
    const part = fc.constantFrom('\n', '\r', '\r\n', ': c', ':', 'data: x', 'id', '\n\n')
    fc.assert(
      fc.property(fc.array(fc.array(part, { maxLength: 6 }), { maxLength: 6 }), (chunks) => {
        const stream = chunks.map((parts) => parts.join(''))
        const pieces = split(stream)
        expect(pieces.join('')).toBe(stream.join(''))
        for (const piece of pieces) {
          const lines = piece.split(/\r\n|\n|\r/)
          const isField = (line: string): boolean => line !== '' && !line.startsWith(':')
          const begins = lines.findIndex(isField)
          if (begins >= 0)
            expect(lines.slice(begins).indexOf(''), piece).toBeOneOf([-1, lines.length - begins - 1, lines.length - begins - 2])
        }
      }),
    )
  })
})
