import { createHmac, randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { afterEach, expect, it, vi } from 'vitest'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import { createEncryption } from '../../core/encryption.ts'
import { createCookieId, createSecret, createSecretCookies } from './secret-cookies.ts'

vi.mock(import('node:crypto'), async (load) => {
  const original = await load()
  return { ...original, createHmac: vi.fn(original.createHmac) }
})
afterEach(() => vi.clearAllMocks())

function open() {
  const cookies = createSecretCookies({
    plainName: 'mcp-test',
    isSecure: true,
    seconds: undefined,
    encryption: createEncryption([randomBytes(32)]),
    clock: createFakeClock(),
  })
  const received = (cookie: string) => ({ headers: { cookie } }) as IncomingMessage
  const set = (): string => {
    let pair = ''
    const response = { appendHeader: (_name: string, value: string) => (pair = value.split(';', 1)[0] ?? '') }
    const named = { id: createCookieId(), secret: createSecret() }
    cookies.set({ request: received(''), response: response as unknown as ServerResponse }, named)
    return pair
  }
  return { cookies, received, set }
}

it('a cookie that was sent many times counts once, and is not trusted', () => {
  const { cookies, received, set } = open()
  const request = received(Array<string>(140).fill(set()).join('; '))
  expect(cookies.listAll(request)).toHaveLength(1)
  expect(cookies.list(request)).toEqual([])
})

it('no code is computed for cookies that can have none of ours', () => {
  const { cookies, received, set } = open()
  const ours = set()
  const others = ['', 'x', `${'0'.repeat(73)}!`].map((value) => `__Host-mcp-test-a=${value}`)
  const named = `__Host-mcp-test-${'a'.repeat(17)}=${'0'.repeat(74)}`
  vi.mocked(createHmac).mockClear()
  expect(cookies.list(received([...others, named].join('; ')))).toEqual([])
  expect(createHmac).not.toHaveBeenCalled()
  expect(cookies.list(received(ours))).toHaveLength(1)
  expect(createHmac).toHaveBeenCalled()
})
