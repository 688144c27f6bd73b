// Tokens that came once, so long ago that only the key which verified their signature is remembered. Is anything else believed of them?
import { afterEach, describe, expect, it } from 'vitest'
import type { IssuerPlan } from '../../src/core/plan/issuer-plan.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { expectRefused, verifyToken } from '../support/refusal.ts'
import { startVerifier } from '../support/verifier.ts'

const open: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of open.splice(0)) await close()
})

async function start(plan: Partial<IssuerPlan> = {}) {
  const now = Math.floor(Date.now() / 1000)
  const clock = createFakeClock(now * 1000)
  const setup = await startVerifier({ clockToleranceSeconds: 0, ...plan }, { clock }, { algorithm: 'ES256' })
  open.push(() => setup.close())
  const { verifier, issuer } = setup
  const mint = (claims: Record<string, unknown> = {}) => issuer.mint({ claims: { iat: now, exp: now + 10_000_000, ...claims } })
  /** Shows a token, and after it as many others as are kept for a moment. */
  const showOnce = async (token: string) => {
    const principal = await verifyToken(verifier, token)
    for (let others = 0; others < 40; others++) await verifyToken(verifier, await mint())
    return principal
  }
  return { verifier, issuer, clock, now, mint, showOnce }
}

describe('a token that came once', () => {
  it('is recalled at once and without its issuer, and has the same principal from then on', async () => {
    const { verifier, issuer, mint, showOnce } = await start()
    const token = await mint()
    const first = await showOnce(token)
    const requests = issuer.requests.length
    const second = verifier.recall?.(token)
    expect(second).toEqual(first)
    expect(verifier.recall?.(token)).toBe(second)
    expect(verifier.verify(token)).toBe(second)
    expect(issuer.requests.length).toBe(requests)
  })

  it('is refused once it has expired', async () => {
    const { verifier, clock, now, mint, showOnce } = await start()
    const token = await mint({ exp: now + 60 })
    await showOnce(token)
    clock.advance(60_000)
    expect(verifier.recall?.(token)).toBeUndefined()
    await expectRefused(verifier, token, 'token_expired')
  })

  it('is refused once its key is withdrawn, whatever other key has its id by then', async () => {
    const { verifier, issuer, clock, mint, showOnce } = await start()
    const token = await mint()
    await showOnce(token)
    await issuer.rotate({ keepKid: true })
    await verifyToken(verifier, await mint())
    expect(verifier.recall?.(token)).toBeUndefined()
    clock.advance(30_000)
    await expectRefused(verifier, token, 'token_invalid')
  })

  it('does not lend its signer to another signature, or to other claims', async () => {
    const { verifier, mint, showOnce } = await start()
    const token = await mint({ sub: 'alice' })
    const other = await mint({ sub: 'bob' })
    await showOnce(token)
    const [head, body, signature = ''] = token.split('.')
    const [, otherBody, otherSignature] = other.split('.')
    for (const forged of [
      `${head}.${body}.${otherSignature}`,
      `${head}.${otherBody}.${signature}`,
      `${head}.${body}.`,
      `${token}=`,
    ]) {
      expect(verifier.recall?.(forged)).toBeUndefined()
      await expectRefused(verifier, forged, 'token_invalid')
    }
  })

  it('is not remembered where it was refused', async () => {
    const { verifier, mint, showOnce } = await start()
    const token = await mint({ aud: 'https://other.example.com' })
    await expectRefused(verifier, token, 'token_audience_mismatch')
    await showOnce(await mint())
    expect(verifier.recall?.(token)).toBeUndefined()
    await expectRefused(verifier, token, 'token_audience_mismatch')
  })
})
