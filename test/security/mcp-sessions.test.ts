import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { changeCharacter } from '../support/forge.ts'
import { openRawConnection, sendRaw } from '../support/raw-client.ts'
import { answerJson } from '../support/recording-upstream.ts'
import {
  type Attempt,
  checkAttempt,
  createCall,
  createModern,
  createServer,
  formatAttempt,
  type Stage,
  startStage,
} from '../support/stage.ts'

const upstreamId = 'the-id-that-the-upstream-gave'
let stage: Stage
/** What Alice's client holds. */
let session: string

beforeAll(async () => {
  stage = await startStage({
    issuers: 2,
    servers: (addresses) => [
      createServer(addresses),
      createServer(addresses, { path: '/other', upstream: `${addresses.upstream}/other` }),
    ],
  })
  session = await openSession(stage.token)
})
afterAll(() => stage.close())

/** Opens an MCP session and tells what the client is given. */
async function openSession(token: string, id = upstreamId, target = '/mcp'): Promise<string> {
  stage.answerWith(answerJson({ jsonrpc: '2.0', id: 1, result: {} }, 200, { 'Mcp-Session-Id': id }))
  const response = await sendRaw(stage.proxy.port, formatAttempt(stage, { token, target, body: createCall('initialize', {}) }))
  stage.answerWith(answerJson({ jsonrpc: '2.0', id: 1, result: {} }))
  return response.header('mcp-session-id') ?? ''
}

const unknown = { status: 404, code: 'mcp_session_unknown' }
type Pairs = NonNullable<Attempt['headers']>
const withSession = (id: string, ...more: Pairs): Pairs => [['Mcp-Session-Id', id], ...more]
const call = createCall('tools/call', { name: 'echo' })

/** Every way to use a session. */
const uses: [string, Attempt][] = [
  ['a call', { body: call }],
  ['an answer to the server', { body: { jsonrpc: '2.0', id: 7, result: { action: 'accept' } } }],
  ['a notification', { body: { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } } }],
  ['a batch', { body: [call] }],
  ['its stream', { method: 'GET' }],
  ['its stream from where it broke off', { method: 'GET', headers: [['Last-Event-ID', '1']] }],
  ['its end', { method: 'DELETE' }],
]

describe('a session belongs to the user who opened it', () => {
  it('and the id of the MCP server stays with us', async () => {
    expect(session).not.toBe('')
    expect(session.startsWith(upstreamId)).toBe(false)
    for (const [what, attempt] of uses) {
      const status = what === 'an answer to the server' || what === 'a notification' ? 202 : 200
      const more = attempt.headers ?? []
      const arrives = [...more, ['mcp-session-id', upstreamId]] as const
      const withId = { ...attempt, headers: withSession(session, ...more) }
      await checkAttempt(stage, withId, { status, headers: arrives })
    }
  })

  it.each([
    ['with another token', { jti: 'another' }],
    ['with a client that has registered anew', { client_id: 'registered-anew' }],
  ])('the same user goes on %s', async (_how, claims) => {
    const token = await stage.mint(claims)
    await checkAttempt(
      stage,
      { token, body: call, headers: withSession(session) },
      { status: 200, headers: [['mcp-session-id', upstreamId]] },
    )
  })

  const strangers: [string, Record<string, unknown>][] = [
    ['another user', { sub: 'mallory' }],
    ['nobody in particular', { sub: undefined }],
    ['a machine that is its own subject', { client_id: 'alice' }],
    ['a client by the name of the user', { sub: undefined, client_id: 'alice' }],
    ['the user in another case', { sub: 'Alice' }],
    ['parts put together differently', { sub: 'alice","test-client', client_id: undefined }],
  ]
  it.each(strangers)('%s does not get it, on any way', async (_who, claims) => {
    const token = await stage.mint(claims)
    for (const [, attempt] of uses) {
      await checkAttempt(stage, { ...attempt, token, headers: withSession(session, ...(attempt.headers ?? [])) }, unknown)
    }
  })

  it('the same name at another issuer does not get it', async () => {
    const token = await stage.mint({}, stage.issuers[1])
    for (const [, attempt] of uses) {
      await checkAttempt(stage, { ...attempt, token, headers: withSession(session, ...(attempt.headers ?? [])) }, unknown)
    }
  })

  it('it opens nothing at another server', async () => {
    for (const [, attempt] of uses) {
      const elsewhere = { ...attempt, target: '/other', headers: withSession(session, ...(attempt.headers ?? [])) }
      await checkAttempt(stage, elsewhere, unknown)
    }
  })

  it('it is no credential', async () => {
    for (const [, attempt] of uses) {
      const without = { ...attempt, token: undefined, headers: withSession(session, ...(attempt.headers ?? [])) }
      await checkAttempt(stage, without, { status: 401, code: 'token_missing' })
    }
  })

  it('it keeps nothing alive: less scope, or an expired token, count at once', async () => {
    const poor = await stage.mint({ scope: 'other' })
    const scopes = { status: 403, code: 'scope_insufficient', scope: 'mcp:tools' }
    const expired = await stage.mint({ exp: Math.floor(Date.now() / 1000) - 3600 })
    for (const [, attempt] of uses) {
      const headers = withSession(session, ...(attempt.headers ?? []))
      await checkAttempt(stage, { ...attempt, token: poor, headers }, scopes)
      await checkAttempt(stage, { ...attempt, token: expired, headers }, { status: 401, code: 'token_expired' })
    }
  })
})

describe('a token without a subject', () => {
  const anonymous = { sub: undefined, client_id: 'shared-client' }

  it.each([
    ['the name of its user (django-oauth-toolkit)', { username: 'alice' }, { username: 'bob' }],
    ['the sign-in behind it (Keycloak without the scope `basic`)', { sid: 'of-alice' }, { sid: 'of-bob' }],
    ['the preferred name of its user', { preferred_username: 'alice' }, { preferred_username: 'bob' }],
    ['the name of its user, and another is a machine of that client', { username: 'alice' }, {}],
  ])('keeps users of one client apart where it says %s', async (_what, mine, theirs) => {
    const own = await openSession(await stage.mint({ ...anonymous, ...mine }))
    const [again, other] = [await stage.mint({ ...anonymous, ...mine, jti: 'b' }), await stage.mint({ ...anonymous, ...theirs })]
    for (const [, attempt] of uses) {
      const headers = withSession(own, ...(attempt.headers ?? []))
      await checkAttempt(stage, { ...attempt, token: other, headers }, unknown)
    }
    const goesOn = { status: 200, headers: [['mcp-session-id', upstreamId]] } as const
    await checkAttempt(stage, { token: again, body: call, headers: withSession(own) }, goesOn)
  })
})

describe('an id that we did not give is no session', () => {
  const forgeries: [string, () => string][] = [
    ['the id of the MCP server', () => upstreamId],
    ['a guess', () => '1'],
    ['a UUID', () => '3f2b7a52-0000-4000-8000-000000000000'],
    ['the seal alone', () => session.slice(0, 22)],
    ['the seal and a dot', () => session.slice(0, 23)],
    ['no seal', () => session.slice(22)],
    ['a seal of zeros', () => `${'A'.repeat(22)}.${upstreamId}`],
    ['a seal one character shorter', () => session.slice(1)],
    ['a seal with one character changed', () => changeCharacter(session, 0)],
    ['another id behind the seal', () => session.replace(upstreamId, 'x')],
    ['the id and more', () => `${session}x`],
    ['the id in upper case', () => session.toUpperCase()],
    ['the id twice', () => `${session}, ${session}`],
    ['quotes around it', () => `"${session}"`],
    ['seven kilobytes', () => 'x'.repeat(7000)],
    ['seven kilobytes behind the seal', () => `${session}${'x'.repeat(7000)}`],
    ['letters outside ASCII', () => `${session}\u00e4`],
    ['a member of every object', () => '__proto__'],
    ['a path', () => '../../admin'],
    ['escapes', () => '%0d%0aX-Admin:%201'],
  ]
  it.each(forgeries)('%s', async (_what, forge) => {
    for (const [, attempt] of uses)
      await checkAttempt(stage, { ...attempt, headers: withSession(forge(), ...(attempt.headers ?? [])) }, unknown)
  })

  it('an empty one', async () => {
    for (const [, attempt] of uses)
      await checkAttempt(stage, { ...attempt, headers: withSession('', ...(attempt.headers ?? [])) }, unknown)
  })

  it('two of them, even the same', async () => {
    for (const second of [session, 'x']) {
      const headers = withSession(session, ['mcp-session-id', second])
      await checkAttempt(stage, { body: call, headers }, { status: 400, code: 'header_mismatch' })
    }
  })

  it('one that is spelled with underscores or named in Connection', async () => {
    await checkAttempt(stage, { body: call, headers: [['Mcp_Session_Id', upstreamId]] }, { status: 200, headers: [] })
    const headers = withSession(session, ['Connection', 'close, mcp-session-id'])
    await checkAttempt(stage, { body: call, headers }, { status: 400, code: 'request_malformed' })
  })
})

describe('2026-07-28 has no sessions', () => {
  it('an id that comes along does not reach the MCP server', async () => {
    const { headers = [], body } = createModern('tools/call', { name: 'echo' })
    for (const id of [session, upstreamId, 'x']) {
      await checkAttempt(stage, { headers: [...headers, ['Mcp-Session-Id', id]], body }, { status: 200, headers })
    }
  })

  it('claiming it opens no stream of another user', async () => {
    const token = await stage.mint({ sub: 'mallory' })
    for (const version of ['2026-07-28', 'whatever']) {
      const headers = [
        ['MCP-Protocol-Version', version],
        ['Mcp-Session-Id', upstreamId],
      ] as const
      for (const method of ['GET', 'DELETE']) {
        await checkAttempt(stage, { method, token, headers }, { status: 200, headers: [['mcp-protocol-version', version]] })
      }
    }
  })

  it('an id that the MCP server gives all the same does not reach the client', async () => {
    stage.answerWith(answerJson({ jsonrpc: '2.0', id: 1, result: {} }, 200, { 'Mcp-Session-Id': upstreamId }))
    const answer = await checkAttempt(stage, createModern('tools/call', { name: 'echo' }), { status: 200 })
    expect(answer.header('mcp-session-id')).toBeUndefined()
    stage.answerWith(answerJson({ jsonrpc: '2.0', id: 1, result: {} }))
  })
})

describe('an id that the MCP server gives', () => {
  it.each(['a b', 'x'.repeat(4000), '"quoted"', 'a,b', 'a;b=c', '=?base64?YQ==?=', '.', 'h\u00e4'.normalize()])(
    '%j comes back to it as it was',
    async (id) => {
      const bytes = Buffer.from(id).toString('latin1')
      const sealed = await openSession(stage.token, bytes)
      const before = stage.upstream.requests.length
      const attempt = formatAttempt(stage, { body: call, headers: withSession(Buffer.from(sealed, 'latin1').toString()) })
      expect((await sendRaw(stage.proxy.port, attempt)).status).toBe(200)
      expect(stage.upstream.requests[before]?.headers['mcp-session-id']).toBe(bytes)
    },
  )

  it('is another to every user, though it is the same to the MCP server', async () => {
    const mallory = await stage.mint({ sub: 'mallory' })
    const hers = await openSession(mallory)
    expect(hers).not.toBe(session)
    await checkAttempt(stage, { body: call, headers: withSession(hers) }, unknown)
    const use = { token: mallory, body: call, headers: withSession(hers) }
    await checkAttempt(stage, use, { status: 200, headers: [['mcp-session-id', upstreamId]] })
  })

  it('twice, is none', async () => {
    stage.answerWith((_request, response) => {
      response.writeHead(200, ['Content-Type', 'application/json', 'Mcp-Session-Id', 'a', 'Mcp-Session-Id', 'b']).end('{}')
    })
    const answer = await checkAttempt(stage, { body: createCall('initialize', {}) }, { status: 200 })
    expect(answer.header('mcp-session-id')).toBeUndefined()
    stage.answerWith(answerJson({ jsonrpc: '2.0', id: 1, result: {} }))
  })
})

it('hundreds of sessions are told apart, though none is remembered', async () => {
  const connection = await openRawConnection(stage.proxy.port)
  let number = 0
  stage.answerWith((_request, response) => {
    response.writeHead(200, { 'Mcp-Session-Id': `s${number++}`, 'Content-Type': 'application/json' }).end('{}')
  })
  const sealed: string[] = []
  const request = formatAttempt(stage, { body: createCall('initialize', {}) })
  for (let i = 0; i < 40; i++) {
    connection.write(Buffer.concat(Array.from({ length: 10 }, () => request)))
    for (let j = 0; j < 10; j++) sealed.push((await connection.readResponse()).header('mcp-session-id') ?? '')
  }
  connection.destroy()
  stage.answerWith(answerJson({ jsonrpc: '2.0', id: 1, result: {} }))
  expect(new Set(sealed).size).toBe(400)
  for (const index of [0, 199, 399]) {
    const id = sealed[index] ?? ''
    await checkAttempt(
      stage,
      { body: call, headers: withSession(id) },
      { status: 200, headers: [['mcp-session-id', id.slice(23)]] },
    )
  }
})
