import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { toModernAnswer } from '../translation/translate-messages.ts'
import { readChildLine, readLongLine } from './child-messages.ts'
import { replaceResponseId } from './json-edits.ts'

const json = fc.jsonValue({ maxDepth: 3 })

describe('replacing the id of an answer', () => {
  it('changes the id and nothing else, wherever it stands', () => {
    const orders = fc.shuffledSubarray(['jsonrpc', 'id', 'result'], { minLength: 3 })
    fc.assert(
      fc.property(
        json,
        orders,
        fc.nat(9999),
        fc.oneof(fc.string(), fc.integer()),
        fc.boolean(),
        (result, order, ours, theirs, spaced) => {
          const members: Record<string, unknown> = { jsonrpc: '2.0', id: ours, result }
          const message = Object.fromEntries(order.map((name) => [name, members[name]]))
          const text = JSON.stringify(message, null, spaced ? 1 : undefined).replaceAll('\n', ' ')
          const replaced = JSON.parse(replaceResponseId(text, String(ours), JSON.stringify(theirs)))
          expect(replaced).toEqual({ ...JSON.parse(text), id: theirs })
        },
      ),
    )
  })

  it.each([
    ['{"jsonrpc":"2.0","result":{"x":"\\",\\"id\\":7}"},"id":7}', '{"jsonrpc":"2.0","result":{"x":"\\",\\"id\\":7}"},"id":"c"}'],
    ['{"result":{"id":7},"id":7,"jsonrpc":"2.0"}', '{"result":{"id":7},"id":"c","jsonrpc":"2.0"}'],
    ['{"id":7,"result":{"a":{"id":7}},"jsonrpc":"2.0"}', '{"id":"c","result":{"a":{"id":7}},"jsonrpc":"2.0"}'],
    ['{"jsonrpc":"2.0","id":7,"result":{"n":9007199254740993}}', '{"jsonrpc":"2.0","id":"c","result":{"n":9007199254740993}}'],
  ])('is not misled by what looks like it: %s', (text, expected) => {
    expect(replaceResponseId(text, '7', '"c"')).toBe(expected)
  })
})

describe('an answer in its modern form', () => {
  it('says what 2026-07-28 wants to hear and keeps what the server said', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), json, { maxKeys: 5 }), fc.boolean(), (own, hasMeta) => {
        // `Object.prototype` is in the way of comparing this key.
        const { ['__proto__']: _, ...rest } = own
        const result = hasMeta ? { ...rest, _meta: { mine: 1 } } : rest
        const text = JSON.stringify({ jsonrpc: '2.0', id: 1, result })
        const modern = JSON.parse(toModernAnswer('tools/list', text, JSON.parse(text), { name: 's', version: '1' }).text)
        expect(modern.result).toMatchObject({ resultType: 'resultType' in rest ? rest.resultType : 'complete' })
        for (const [key, value] of Object.entries(JSON.parse(JSON.stringify(rest))))
          if (key !== '_meta') expect(modern.result[key]).toEqual(value)
        if (hasMeta) expect(modern.result._meta).toMatchObject({ mine: 1 })
      }),
    )
  })
})

describe('a line of a server', () => {
  it('never ends the process, whatever it holds', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.json(), (bytes, text) => {
        for (const line of [Buffer.from(bytes), Buffer.from(text), Buffer.concat([Buffer.from(text), bytes])]) {
          const read = readChildLine(line)
          expect(['messages', 'batch', 'broken', 'refused', 'noise']).toContain(read.kind)
          if (read.kind === 'messages') for (const { text: one } of read.messages) expect(one).not.toMatch(/[\r\n]/)
        }
      }),
    )
  })

  it.each([
    ['{"jsonrpc":"2.0","id":12,"result":{"x":"', 'yyyy', 12],
    ['{"jsonrpc": "2.0", "id": "a-1", "result": {', 'yyyy', 'a-1'],
    ['{"result":{"x":"', '"},"jsonrpc":"2.0","id":34}', 34],
  ])('that is too long is known by its id: %s…%s', (head, tail, id) => {
    expect(readLongLine(Buffer.from(head), Buffer.from(tail))).toMatchObject({ kind: 'broken', id })
  })

  it('that is too long is known by nothing that only looks like an id', () => {
    const inside = readLongLine(Buffer.from('{"result":{"jsonrpc":"2.0","id":1,'), Buffer.from('"id":2}}'))
    expect(inside.kind).toBe('noise')
  })
})
