import { describe, expect, it } from 'vitest'
import { createMessage } from '../../../../test/support/fake-processes.ts'
import { META_KEYS } from '../wire/modern-envelope.ts'
import { digestRequest, formatDiscovery, readUrlElicitations, toLegacyRequest, toModernAnswer } from './translate-messages.ts'

const envelope = Object.fromEntries(Object.values(META_KEYS).map((key) => [key, 'x']))

describe('a request for a legacy server', () => {
  it('has neither the envelope nor what belongs to round trips', () => {
    const params = { name: 'n', requestState: 's', inputResponses: {}, _meta: { ...envelope, own: 1 } }
    const { text } = toLegacyRequest(createMessage('tools/call', params))
    expect(JSON.parse(text).params).toEqual({
      name: 'n',
      _meta: { own: 1, [META_KEYS.serverInfo]: 'x', [META_KEYS.subscriptionId]: 'x' },
    })
  })

  it('is the same as its retry, and another with other parameters or another method', () => {
    const digest = (method: string, params: object) => digestRequest(createMessage(method, params))
    const first = digest('tools/call', { name: 'n', _meta: { a: 1 } })
    expect(digest('tools/call', { name: 'n', requestState: 's', inputResponses: {}, _meta: { b: 2 } })).toBe(first)
    expect(digest('tools/call', { name: 'm' })).not.toBe(first)
    expect(digest('prompts/get', { name: 'n' })).not.toBe(first)
  })
})

describe('an answer of a legacy server', () => {
  const translate = (method: string, value: object) => {
    const text = JSON.stringify({ jsonrpc: '2.0', id: 1, ...value })
    return JSON.parse(toModernAnswer(method, text, JSON.parse(text), { name: 's', version: '1' }).text)
  }

  it('says for how long lists and resources may be kept, and nothing of the kind for others', () => {
    for (const method of ['tools/list', 'prompts/list', 'resources/list', 'resources/templates/list', 'resources/read'])
      expect(translate(method, { result: {} }).result).toMatchObject({ ttlMs: 0, cacheScope: 'private' })
    expect(translate('tools/call', { result: {} }).result).not.toHaveProperty('ttlMs')
  })

  it('has the code that replaced -32002, and any other as it is', () => {
    expect(translate('resources/read', { error: { code: -32002, message: '' } }).error.code).toBe(-32602)
    expect(translate('resources/read', { error: { code: -32001, message: '' } }).error.code).toBe(-32001)
  })

  it('names the URLs of error -32042, and no other error does', () => {
    const data = { elicitations: [{ mode: 'url', url: 'u', elicitationId: 'e' }, 5] }
    expect(readUrlElicitations({ error: { code: -32042, data } })).toEqual([
      { method: 'elicitation/create', params: { mode: 'url', url: 'u' } },
    ])
    expect(readUrlElicitations({ error: { code: -32041, data } })).toBeUndefined()
  })

  it('to initialize is the one to server/discover, without what is not carried over', () => {
    const initialized = { capabilities: { tools: {}, tasks: {}, extensions: {} }, instructions: 'Do.', serverInfo: { name: 's' } }
    expect(JSON.parse(formatDiscovery('1', initialized)).result).toMatchObject({
      capabilities: { tools: {} },
      instructions: 'Do.',
      _meta: { [META_KEYS.serverInfo]: { name: 's' } },
    })
    expect(JSON.parse(formatDiscovery('1', initialized)).result.capabilities).toEqual({ tools: {} })
  })
})
