import { describe, expect, it, vi } from 'vitest'
import { callTool, request } from '../../test/support/policies.ts'
import { createArgumentFinder, cutSpans, listArguments } from './call-arguments.ts'
import { parseMessages } from './messages.ts'

const limits = { jsonDepth: 128, batchMembers: 100 }
const call = (params: string, method = 'tools/call') => `{"jsonrpc":"2.0","id":1,"method":"${method}","params":${params}}`

describe('the arguments of a call', () => {
  it.each([
    ['as they stand', call('{"name":"a","arguments":{"x": 1.0, "y":[ ]}}'), ['{"x": 1.0, "y":[ ]}']],
    ['of any type', call('{"name":"a","arguments":[1]}'), ['[1]']],
    ['are absent', call('{"name":"a"}'), [undefined]],
    ['of a prompt', call('{"name":"a","arguments":{"x":"1"}}', 'prompts/get'), ['{"x":"1"}']],
    ['with a method that is written in escapes', call('{"arguments":{}}', 'tools\\u002fcall'), ['{}']],
    ['are those of no other method', call('{"arguments":{}}', 'resources/read'), []],
    [
      'of each call of a batch, in order',
      ` [${call('{"arguments":{"a":1}}')},${call('{}', 'ping')},${call('{}')},${call('{"arguments":{"a":2}}')}]`,
      ['{"a":1}', undefined, '{"a":2}'],
    ],
  ])('%s', (_what, text, expected) => {
    expect(listArguments(text, limits)).toEqual(expected)
  })

  it.each([
    ['of a call', call('{"name":"a","arguments":{"x": "\\u00e9\u00e9 \ud83d\ude00", "y":[ ]}}')],
    ['behind what is longer in bytes', call('{"_meta":{"x":"\ud83d\ude00\u00e9"},"name":"\u00e9","arguments":{"a":1}}')],
    ['that are absent', call('{"name":"a"}')],
    ['of no other method', call('{"uri":"file:///x","arguments":{}}', 'resources/read')],
    [
      'of a batch',
      ` [${call('{"name":"a","arguments":{"a":1}}')},${call('{}', 'ping')},${call('{"name":"b"}')}, ${call('{"name":"c","arguments":[2]}')}]`,
    ],
    ['of a long body', call(`{"name":"a","arguments":{"x":"${'y'.repeat(5000)}"}}`)],
  ])('are found by where they stood when the message was read: %s', (_what, text) => {
    const { argumentSpans } = parseMessages(text, limits)
    expect(cutSpans(text, argumentSpans)).toEqual(listArguments(text, limits))
  })
})

describe('the arguments of an operation', () => {
  const [ping, first, list, second] = [request('ping'), callTool('a'), request('tools/list'), callTool('a')]
  const operations = [ping, first, list, second]

  it('are its own, whatever stands between the calls of a batch, and are read once', () => {
    const read = vi.fn(() => ['{"a":1}', '{"a":2}'])
    const find = createArgumentFinder(operations, read)
    expect([second, first, second].map(find)).toEqual(['{"a":2}', '{"a":1}', '{"a":2}'])
    expect(read).toHaveBeenCalledTimes(1)
  })

  it('are found without a look at all operations for each of them', () => {
    let looks = 0
    const counted = Array.from({ length: 1000 }, () => ({
      ...callTool('a'),
      get method() {
        looks += 1
        return 'tools/call'
      },
    }))
    const find = createArgumentFinder(counted, () => counted.map((_, index) => `${index}`))
    expect(counted.map(find)).toEqual(counted.map((_, index) => `${index}`))
    expect(looks).toBeLessThanOrEqual(counted.length)
  })

  it('are those of no operation that is not of the message, or has none', () => {
    const find = createArgumentFinder(operations, () => ['{"a":1}', '{"a":2}'])
    for (const other of [callTool('a'), ping, list]) expect(() => find(other)).toThrow('not of this body')
  })
})
