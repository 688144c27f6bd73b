// A provider that takes its time, and whose refresh tokens are good once.
import { afterEach, expect, it, vi } from 'vitest'
import { readJson, refresh } from '../support/broker-client.ts'
import { sendJson, type Vendor } from '../support/identity-profiles/vendor.ts'
import { signInAtVendor } from '../support/vendor-sign-in.ts'
import { OIDC_VENDOR, startVendorStage, type VendorStage } from '../support/vendor-stage.ts'

let stage: VendorStage | undefined
afterEach(async () => {
  vi.useRealTimers()
  await stage?.close()
  stage = undefined
})

it('keeps what comes after the client was told to come again: the user stays signed in', async () => {
  let hold: Promise<void> | undefined
  let sent = () => {}
  const answers: number[] = []
  const vendor: Vendor = {
    ...OIDC_VENDOR,
    sendTokens: (_request, response, status, answer) => {
      answers.push(status)
      // By now the old refresh token is used up.
      void Promise.resolve(hold).then(() => {
        sendJson(response, status, answer)
        response.on('close', sent)
      })
    },
  }
  stage = await startVendorStage({ vendor, provider: () => ({ timeout_seconds: 1 }) })
  const { origin, client } = stage
  const tokens = await signInAtVendor(origin, client)
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_700_000 })
  let release = () => {}
  hold = new Promise<void>((resolve) => {
    release = resolve
  })
  const early = await refresh(origin, client, tokens.refresh_token)
  expect([early.status, await readJson(early)]).toMatchObject([503, { error: 'temporarily_unavailable' }])
  // With the old token again, the provider would take the client for a thief.
  for (let attempt = 0; attempt < 2; attempt++) expect((await refresh(origin, client, tokens.refresh_token)).status).toBe(503)
  expect(answers).toEqual([200, 200])
  const arrived = new Promise<void>((resolve) => {
    sent = resolve
  })
  release()
  hold = undefined
  await arrived
  // Whatever the proxy reads after the answer, it reads after it has kept the token.
  await fetch(`${origin}/.well-known/oauth-authorization-server`)
  // The old token again would be the end of the session there.
  expect((await refresh(origin, client, tokens.refresh_token)).status).toBe(200)
})
