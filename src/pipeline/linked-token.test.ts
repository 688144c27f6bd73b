import { afterEach, expect, it } from 'vitest'
import { openStepGate, type StepGate } from '../../test/support/step.ts'
import type { ProtectedResource } from '../core/route-facts.ts'

let gate: StepGate
afterEach(() => gate.close())

const resource = {
  identifier: 'https://mcp.example',
  metadataUrl: '',
  bearerMethods: ['query', 'body'],
} as unknown as ProtectedResource

async function follow(fetchMetadata: Record<string, string>, query = '?access_token=alice') {
  gate = await openStepGate({ resource })
  const fields = Object.entries(fetchMetadata).map(([name, value]) => `${name}: ${value}`)
  return gate.sendLines([`GET /mcp${query} HTTP/1.1`, ...fields])
}

it('the answer to a token in the query can be no page of our origin, and stays in no shared cache', async () => {
  const { status, header } = await follow({ 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' })
  expect(status).toBe(202)
  expect(header('content-security-policy')).toContain('sandbox')
  expect(header('cache-control')).toContain('no-store')
  expect(header('x-content-type-options')).toBe('nosniff')
  expect(header('referrer-policy')).toBe('no-referrer')
})

it.each([
  [{ 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'empty' }],
  [{ 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'iframe' }],
  [{ 'sec-fetch-dest': 'document' }],
])('a browser that follows a link with a token is refused, and the answer confined all the same (%j)', async (fetchMetadata) => {
  const { status, header } = await follow(fetchMetadata as Record<string, string>)
  expect(status).toBe(400)
  expect(header('content-security-policy')).toContain('sandbox')
  expect(gate.calls).toEqual([])
})

it('a refusal that has nothing to do with a token in a link is not confined', async () => {
  expect((await follow({}, '?a=1')).header('content-security-policy')).toBeUndefined()
})
