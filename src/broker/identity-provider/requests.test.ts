import { customFetch } from 'oauth4webapi'
import { expect, it } from 'vitest'
import type { IdentityProviderPlan } from '../../core/plan/identity-provider-plan.ts'
import type { SafeFetch } from '../../oauth/safe-fetch.ts'
import { createRequestOptions } from './requests.ts'

/** An outbound fetch that gets this text from every URL. */
const createAnsweringFetch = (text: string, type = 'application/json'): SafeFetch => ({
  fetchRaw: async () => ({ status: 200, headers: { 'content-type': type }, bytes: Buffer.from(text) }),
  fetchJson: () => Promise.reject(new Error('not asked for')),
  close: async () => {},
})

async function read(text: string, type?: string): Promise<string> {
  const request = createRequestOptions(
    { issuer: 'https://login.example' } as IdentityProviderPlan,
    createAnsweringFetch(text, type),
    5_000,
  )
  const response = await request[customFetch]('https://login.example/userinfo', { method: 'GET', headers: {} })
  return response.text()
}

it.each(['9007199254740993', '9007199254740992', '9.007199254740993e15'])(
  'a user whose number is %s at the identity provider is no other',
  async (number) => {
    expect(await read(`{"sub":"a","id":${number},"groups":[{"id":${number}}]}`)).toBe(
      `{"sub":"a","id":"${number}","groups":[{"id":"${number}"}]}`,
    )
  },
)

it('other numbers and what is no JSON stay as they are', async () => {
  expect(await read('{"id":7,"at":1.5}', 'application/json; charset=utf-8')).toBe('{"id":7,"at":1.5}')
  expect(await read('{"id":')).toBe('{"id":')
  expect(await read('9007199254740993', 'text/plain')).toBe('9007199254740993')
})
