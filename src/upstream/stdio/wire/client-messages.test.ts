import { describe, expect, it } from 'vitest'
import { createCall } from '../../../../test/support/fake-reply.ts'
import { createClientMessage, metaOf, paramsOf, readClientMessages, readParam, releaseMessage } from './client-messages.ts'

const readBody = (body: string, isBatch = false) => readClientMessages({ ...createCall({}), body: Buffer.from(body), isBatch })

describe('a client’s message', () => {
  it('is written on one line, and otherwise as it is', () => {
    const [message] = readBody('{"jsonrpc":"2.0",\r\n "id": 1.0,\n"method":"x"}')
    expect(message).toMatchObject({ kind: 'request', idKey: '1', text: '{"jsonrpc":"2.0",   "id": 1.0, "method":"x"}' })
  })

  it.each([
    ['{"id":"a","method":"x"}', 'request', '"a"'],
    ['{"method":"x"}', 'notification', ''],
    ['{"id":1,"result":{}}', 'response', '1'],
  ])('%s is a %s', (text, kind, idKey) => {
    expect(createClientMessage(text)).toMatchObject({ kind, idKey })
  })

  it('is one of a batch', () => {
    const messages = readBody('[{"id":1,"method":"a"}, {"method":"b"}]', true)
    expect(messages.map(({ text }) => text)).toEqual(['{"id":1,"method":"a"}', '{"method":"b"}'])
  })

  it('is an object', () => {
    expect(() => createClientMessage('5')).toThrow(expect.objectContaining({ code: 'message_invalid' }))
    expect(() => readBody('{')).toThrow(expect.objectContaining({ code: 'json_invalid' }))
  })

  it('keeps short members of a long message, and reads long ones when they are asked for', () => {
    const long = 'x'.repeat(20_000)
    const message = createClientMessage(
      JSON.stringify({ id: 1, method: 'm', params: { a: long, b: 2, _meta: { c: 3, d: long } } }),
    )
    expect(message.value).toEqual({ id: 1, method: 'm', params: { b: 2, _meta: { c: 3 } } })
    expect([readParam(message, 'a'), readParam(message, 'b'), readParam(message, 'z')]).toEqual([long, 2, undefined])
    expect([paramsOf(message).b, metaOf(message).c]).toEqual([2, 3])
    const members = Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`a${index}`, 1]))
    const called = createClientMessage(JSON.stringify({ id: 1, method: 'm', params: { name: 'n', arguments: members } }))
    expect(called.value).toEqual({ id: 1, method: 'm', params: { name: 'n' } })
    expect(readParam(called, 'arguments')).toEqual(members)
    releaseMessage(message)
    expect([message.text, message.value, message.method]).toEqual(['', {}, 'm'])
  })
})
