import { describe, expect, it } from 'vitest'
import { cutSpans, listArguments } from './call-arguments.ts'
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
