import { expect, it } from 'vitest'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import { createMemoryStore } from '../../store/memory-store.ts'
import { createSingleUse } from '../storage/single-use.ts'
import { createIdentityAssertions, type IdentityAssertion, type IdentityAssertionOptions } from './identity-assertions.ts'

/** The tolerance that issuers of the configuration have for the clocks of others, and the most that they may have. */
const MAX_TOLERANCE_SECONDS = 120

it('an assertion that was used stays used for as long as it could pass: until the tolerance of the clocks is over', async () => {
  const clock = createFakeClock()
  const store = createMemoryStore(clock)
  const singleUse = createSingleUse(clock, () => undefined)
  const assertions = createIdentityAssertions({
    issuers: [],
    pool: {} as IdentityAssertionOptions['pool'],
    audience: 'https://mcp.example',
    store,
    singleUse,
    clock,
  })
  const exp = Math.floor(clock.wall() / 1000) + 60
  const assertion = (jti: string, issuer = 'https://idp.example') =>
    ({ issuer, claims: { exp, jti } }) as unknown as IdentityAssertion
  await assertions.use(assertion('one'))
  await assertions.use(assertion('two'))
  await assertions.use(assertion('one', 'https://other.example'))
  clock.advance((60 + MAX_TOLERANCE_SECONDS) * 1000 - 1000)
  for (const used of [assertion('one'), assertion('two'), assertion('one', 'https://other.example')])
    await expect(assertions.use(used)).rejects.toMatchObject({ code: 'token_invalid' })
  singleUse.close()
  await store.close()
})
