// The doctor asks the authorization server of `credential` as a call would.
import type { ServerResponse } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import { examine } from '../src/doctor/doctor.ts'
import { type DoctorStage, openDoctorStage, STAGE_ENV, serve } from './support/doctor-stage.ts'
import { type AnswerTokens, issueToken, refuseToken, startTokenServer, type TokenServer } from './support/token-server.ts'

let stage: DoctorStage | undefined
let server: TokenServer | undefined
afterEach(() => Promise.all([stage?.close(), server?.close()]))

async function findCredential(answer: AnswerTokens, more: object = {}) {
  stage = await openDoctorStage()
  server = await startTokenServer()
  server.answerWith(answer)
  const credential = {
    kind: 'token_exchange' as const,
    issuer: server.issuer,
    client_id: 'p',
    client_secret: { env: 'SECRET' },
    ...more,
  }
  const config = stage.configure({ servers: [{ ...serve(stage.mcpServer.streamableHttpUrl), credential }] })
  const { findings } = await examine(stage.load(config), undefined, async () => new Map())
  expect(JSON.stringify(findings)).not.toContain(STAGE_ENV.SECRET)
  return findings.find(({ id }) => id.startsWith('credential'))
}

const refuse = (error: string) => (_: unknown, response: ServerResponse) =>
  refuseToken(response, error, { error_description: 'as it says' })

describe('the doctor', () => {
  it.each([
    ['the client is unknown', refuse('invalid_client'), 'credential_refused', /client_id/],
    ['the client may not exchange tokens', refuse('unauthorized_client'), 'credential_refused', /Permit this grant/],
    ['the grant is off', refuse('unsupported_grant_type'), 'credential_refused', /Switch this grant on/],
    ['the audience is unknown', refuse('invalid_target'), 'credential_refused', /`credential\.audience`/],
    ['the answer is no JSON', (_: unknown, response: ServerResponse) => response.end('<html>'), 'credential_fails', /./],
    ['a token is issued for nobody', () => issueToken('x'), 'credential_accepts_all', /verifies what is exchanged/],
    [
      'a secret is repeated',
      (_: unknown, response: ServerResponse) => refuseToken(response, `invalid ${STAGE_ENV.SECRET}`),
      'credential',
      /./,
    ],
  ] as const)('says what is wrong where %s', async (_, answer, code, fix) => {
    const finding = await findCredential(answer as AnswerTokens)
    expect(finding).toMatchObject({
      id: code,
      ...(code !== 'credential' && { verdict: 'problem', fix: expect.stringMatching(fix) }),
    })
  })

  it('finds nothing wrong where only the token is refused', async () => {
    expect(await findCredential(refuse('invalid_grant'))).toMatchObject({ id: 'credential', verdict: 'ok' })
  })

  it('finds nothing wrong where the proxy gets a token of its own', async () => {
    expect(await findCredential(() => issueToken('x'), { kind: 'client_credentials' })).toMatchObject({ verdict: 'ok' })
  })
})
