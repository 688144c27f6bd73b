// Operators look at users, clients and sign-ins of the broker, and end them, by the actions of the admin listener.
import { decodeJwt } from 'jose'
import { afterEach, describe, expect, it } from 'vitest'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import { callMcp, createRawClient, obtainTokens, readJson, refresh } from '../support/broker-client.ts'
import { type BrokerStage, startBrokerStage } from '../support/broker-stage.ts'

const [alice, bob] = SAMPLE_USERS
const TOKEN = 'operators-only-'.repeat(3)

let stage: BrokerStage | undefined
afterEach(async () => {
  await stage?.close()
  stage = undefined
})

async function start() {
  const admin = { port: 0, token: { env: 'ADMIN_TOKEN' } } as const
  stage = await startBrokerStage({ config: { admin }, env: { ADMIN_TOKEN: TOKEN } })
  const { proxy, url, identityProvider } = stage
  const { origin, adminUrl } = proxy
  const ask = async (path: string, input: object = {}) => {
    const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' }
    const answer = await fetch(`${adminUrl}${path}`, { method: 'POST', headers, body: JSON.stringify(input) })
    return readJson(answer)
  }
  const client = await createRawClient(origin)
  const [ofAlice, ofBob] = [await obtainTokens(origin, client, alice), await obtainTokens(origin, client, bob)]
  const { users } = await ask('/users/list')
  const subject = decodeJwt(ofAlice.access_token).sub ?? ''
  return { origin, url, ask, client, ofAlice, ofBob, subject, identityProvider, proxy, users }
}

describe('an operator', () => {
  it('sees who has signed in, with which clients, and no token', async () => {
    const { ask, client, subject, users, ofAlice, ofBob } = await start()
    expect(users).toHaveLength(2)
    const signedIn = { issuer: expect.any(String), name: expect.any(String), last_sign_in: expect.any(String), clients: 1 }
    expect(users).toContainEqual({ ...signedIn, subject, email: expect.stringContaining('@') })
    const { clients } = await ask('/clients/list')
    expect(clients).toEqual([{ client_id: client.id, name: expect.any(String), kind: 'registered', users: 2 }])
    const shown = await ask('/users/show', { subject })
    const session = { kind: 'client', subject, client_id: client.id, scopes: ['mcp:tools'] }
    expect(shown.sessions).toContainEqual(expect.objectContaining(session))
    expect(shown.sessions).toContainEqual(expect.objectContaining({ kind: 'browser', subject }))
    const minutesAgo = shown.sessions.map(({ started }: { started: string }) => (Date.now() - Date.parse(started)) / 60_000)
    expect(
      minutesAgo.every((minutes: number) => minutes < 10),
      JSON.stringify(shown.sessions),
    ).toBe(true)
    const all = JSON.stringify([users, clients, shown, await ask('/sessions/list')])
    for (const tokens of [ofAlice, ofBob])
      for (const secret of [tokens.access_token, tokens.refresh_token]) expect(all).not.toContain(secret)
    expect(await ask('/users/show', { subject: 'nobody' })).toMatchObject({ error: 'admin_target_unknown' })
  })

  it('reads page by page', async () => {
    const { ask } = await start()
    const first = await ask('/users/list', { most: 1 })
    const second = await ask('/users/list', { most: 1, after: first.users[0].subject })
    expect([first.users.length, second.users.length, first.total]).toEqual([1, 1, 2])
    expect(second.users[0].subject > first.users[0].subject).toBe(true)
    expect((await ask('/users/list', { after: second.users[0].subject })).users).toEqual([])
    expect(await ask('/users/list', { most: 1001 })).toMatchObject({ error: 'admin_input_invalid' })
  })

  it('ends all that a user has, here and at the identity provider, and nothing of another', async () => {
    const { ask, origin, url, client, ofAlice, ofBob, subject } = await start()
    expect([await callMcp(url, ofAlice.access_token), await callMcp(url, ofBob.access_token)]).toEqual([200, 200])
    const answer = await ask('/users/revoke', { subject })
    expect(answer).toMatchObject({ subject, was_signed_in: true, tokens_of_identity_provider: 'revoked', shared: false })
    expect([await callMcp(url, ofAlice.access_token), await callMcp(url, ofBob.access_token)]).toEqual([401, 200])
    expect(await readJson(await refresh(origin, client, ofAlice.refresh_token))).toMatchObject({ error: 'invalid_grant' })
    expect((await refresh(origin, client, ofBob.refresh_token)).status).toBe(200)
    const { users } = await ask('/users/list')
    expect(users).toHaveLength(1)
    expect((await ask('/sessions/list', { subject })).sessions).toEqual([])
  })

  it('keeps a blocked user from signing in, until that is lifted', async () => {
    const { ask, origin, url, client, subject } = await start()
    await ask('/users/revoke', { subject, block: true })
    await expect(obtainTokens(origin, client, alice)).rejects.toThrow()
    expect((await ask('/users/list')).users).toHaveLength(1)
    expect(await ask('/users/unblock', { subject })).toMatchObject({ was_blocked: true })
    expect(await callMcp(url, (await obtainTokens(origin, client, alice)).access_token)).toBe(200)
  })

  it('ends all that users gave a client', async () => {
    const { ask, origin, url, client, ofAlice } = await start()
    const other = await createRawClient(origin)
    const ofOther = await obtainTokens(origin, other, alice)
    expect(await ask('/clients/revoke', { client_id: client.id })).toMatchObject({
      client_id: client.id,
      ended: true,
      was_known: true,
    })
    expect(await ask('/clients/revoke', { client_id: `${client.id}x` })).toMatchObject({ ended: true, was_known: false })
    expect([await callMcp(url, ofAlice.access_token), await callMcp(url, ofOther.access_token)]).toEqual([401, 200])
    expect((await refresh(origin, client, ofAlice.refresh_token)).status).toBe(400)
    expect((await refresh(origin, other, ofOther.refresh_token)).status).toBe(200)
    expect((await ask('/sessions/list')).sessions.map(({ client_id }: { client_id?: string }) => client_id)).not.toContain(
      client.id,
    )
  })

  it('ends one session by its id, and no other', async () => {
    const { ask, origin, url, client, ofAlice, ofBob, subject } = await start()
    const { sessions } = await ask('/sessions/list', { subject })
    const { id } = sessions.find(({ kind }: { kind: string }) => kind === 'client')
    expect(await ask('/sessions/end', { id })).toMatchObject({ id, subject, client_id: client.id, kind: 'client' })
    expect([await callMcp(url, ofAlice.access_token), await callMcp(url, ofBob.access_token)]).toEqual([401, 200])
    expect((await refresh(origin, client, ofAlice.refresh_token)).status).toBe(400)
    expect(await ask('/sessions/end', { id })).toMatchObject({ error: 'admin_target_unknown' })
  })
})
