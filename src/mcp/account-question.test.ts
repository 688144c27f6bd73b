import { expect, it } from 'vitest'
import { withoutAccountAnswer } from './account-question.ts'

const createBody = (params: object): Buffer =>
  Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }))

it('an answer to our question is left out of a body, and everything else stays', () => {
  const body = createBody({ name: 'a', inputResponses: { omap_account: { action: 'accept' }, other: { action: 'accept' } } })
  expect(JSON.parse(withoutAccountAnswer(body).toString()).params).toEqual({
    name: 'a',
    inputResponses: { other: { action: 'accept' } },
  })
})

it.each([
  ['elsewhere', createBody({ name: 'a', arguments: { omap_account: 1 } })],
  ['nowhere', createBody({ name: 'a' })],
  // Such a body is never answered with an input request, and to read it on the main thread would hold all others up.
  ['in a body of more than 64 KiB', createBody({ inputResponses: { omap_account: {}, other: 'x'.repeat(65 * 1024) } })],
])('a body that has the name %s is the same', (_, body) => {
  expect(withoutAccountAnswer(body)).toBe(body)
})
