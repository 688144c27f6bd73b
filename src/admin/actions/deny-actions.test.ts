import { expect, it } from 'vitest'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import { DENIED_SECONDS, type Denial, type DenyList } from '../../core/deny-list.ts'
import { ProxyError } from '../../core/errors.ts'
import type { SignInRegister } from '../../core/sign-in-register.ts'
import { createEndAction, createRevokeAction } from './deny-actions.ts'

const ISSUER = 'https://mcp.example.com'

it.each([
  ['user', { subject: 'alice' }],
  ['user', { subject: 'alice', block: true }],
  ['client', { client_id: 'alice' }],
] as const)('what the broker has of a %s ends although the deny list has no room', async (kind, input) => {
  const ended: string[] = []
  const register: Pick<SignInRegister, 'issuer' | 'endUser' | 'endClient'> = {
    issuer: ISSUER,
    endUser: async (subject) => {
      ended.push(subject)
      return { wasKnown: true, atProvider: 'revoked' }
    },
    endClient: async (id) => void ended.push(id),
  }
  const denied: Pick<DenyList, 'add'> = { add: () => Promise.reject(new ProxyError('deny_list_full')) }
  const act = createRevokeAction(kind, {
    denied: denied as DenyList,
    findRegister: () => register as SignInRegister,
    listIssuers: () => [{ issuer: ISSUER, aliases: [], longestSeconds: 60, toleranceSeconds: 0 }],
    isShared: true,
    clock: createFakeClock(),
    endKeys: async () => [],
    onDenied: () => ended.push('denied'),
  })
  await expect(act(input, { address: '127.0.0.1', tellFailure: () => undefined })).rejects.toMatchObject({
    code: 'deny_list_full',
  })
  expect(ended).toEqual(['alice'])
})

it.each([
  ['a session', { sid: 's-1' }, 60, DENIED_SECONDS],
  ['a token', { jti: 't-1' }, 2_592_000, 2_592_000],
])('%s is refused for as long as a token can live', async (_name, input, longestSeconds, seconds) => {
  const denials: Denial[] = []
  const clock = createFakeClock()
  const act = createEndAction({
    denied: { add: async (added) => void denials.push(...added) } as Pick<DenyList, 'add'> as DenyList,
    findRegister: () => undefined,
    listIssuers: () => [{ issuer: ISSUER, aliases: [], longestSeconds, toleranceSeconds: 0 }],
    isShared: true,
    clock,
    endKeys: async () => [],
    onDenied: () => {},
  })
  await act(input, { address: '127.0.0.1', tellFailure: () => undefined })
  expect(denials).toMatchObject([{ issuedBefore: undefined, expiresAt: clock.wall() + seconds * 1000 }])
})
