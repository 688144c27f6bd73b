import { randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import { createEncryption } from '../../core/encryption.ts'
import { createMemoryStore } from '../../store/memory-store.ts'
import type { SignedInUser } from '../identity-provider/signed-in-user.ts'
import { type AccountsOptions, createAccounts } from './accounts.ts'

const signedInAt = Date.now()
const ann: SignedInUser = {
  subject: 'ann',
  claims: { sub: 'ann', groups: ['staff'] },
  tokens: { accessToken: 'a', refreshToken: 'r', expiresAt: signedInAt + 3_600_000, askedAt: signedInAt },
}

it('an account that the allow-list no longer permits is not found, and everything of it ends when it is looked for to go on', async () => {
  const clock = createFakeClock(signedInAt)
  const store = createMemoryStore(clock)
  const encryption = createEncryption([randomBytes(32)])
  const ended: string[] = []
  const open = (group: string) =>
    createAccounts({
      store,
      encryption,
      clock,
      identityProvider: {} as AccountsOptions['identityProvider'],
      plan: { allow: [{ claim: 'groups', values: [group] }], unrefreshedSeconds: 28_800, timeoutSeconds: 10 },
      grantSeconds: 3600,
      report: () => {},
      onEnded: (subject) => ended.push(subject),
    })
  const before = open('staff')
  await before.save(ann)
  expect((await before.find('ann'))?.subject).toBe('ann')

  const after = open('admins')
  expect(await after.find('ann')).toBeUndefined()
  expect(ended).toEqual([])
  expect(await after.findCurrent('ann')).toBeUndefined()
  expect(ended).toEqual(['ann'])
  expect(await before.find('ann')).toBeUndefined()
  await store.close()
})
