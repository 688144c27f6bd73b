import { afterAll, beforeAll, describe, it } from 'vitest'
import {
  type Attempt,
  checkAttempt,
  createCall,
  createModern,
  createServer,
  type Outcome,
  type Stage,
  startStage,
} from '../support/stage.ts'

let stage: Stage
let poor: string
let withoutAudience: string
let forAnother: string

beforeAll(async () => {
  stage = await startStage()
  poor = await stage.mint({ scope: 'other' })
  withoutAudience = await stage.mint({ aud: undefined })
  forAnother = await stage.mint({ aud: 'https://other.example.com/mcp' })
})
afterAll(() => stage.close())

/** Revisions that begin with `initialize`, by what their clients know of protected resource metadata. */
const old = ['2024-11-05', '2025-03-26']
const knowing = [undefined, '2025-06-18', '2025-11-25']
/** Everything else is held to the newest rules. */
const newest = [
  '2026-07-28',
  '2099-01-01',
  '1999-01-01',
  '2024-10-07',
  'DRAFT-2026-v1',
  '2025-03-26, 2026-07-28',
  '2025-03-26;',
  '',
  '0',
  'latest',
  '*',
  '2025-0\u0663-26',
  '../2025-06-18',
  'x'.repeat(4000),
]
const all = [...old, ...knowing, ...newest].map((version) => [version])

function claim(version: string | undefined, attempt: Attempt): Attempt {
  return version === undefined
    ? attempt
    : { ...attempt, headers: [['MCP-Protocol-Version', version], ...(attempt.headers ?? [])] }
}

/** Expects the refusal, with the challenge that a client of that version can read. */
async function expectRefused(version: string | undefined, attempt: Attempt, outcome: Outcome): Promise<void> {
  await checkAttempt(stage, claim(version, attempt), outcome)
}

const dropDb = createCall('tools/call', { name: 'drop_db', arguments: {} }, 'f')
const echo = createCall('tools/call', { name: 'echo', arguments: {} })

describe('the revision that a client claims never decides what is checked', () => {
  it.each([...old, ...knowing].map((version) => [version]))('a tool without its scope is refused, as %j', async (version) => {
    const outcome = { status: 403, code: 'scope_insufficient', scope: 'db:admin mcp:tools', id: 'f', rpc: -31403 }
    await expectRefused(version, { body: dropDb }, outcome)
  })

  it.each(newest)('what claims %j has to look like it, whatever the token may do', async (version) => {
    await expectRefused(version, { body: dropDb }, { status: 400, code: 'protocol_version_missing', id: 'f', rpc: -32602 })
  })

  it('a tool without its scope is refused, as 2026-07-28 in full', async () => {
    const attempt = createModern('tools/call', { name: 'drop_db', arguments: {} }, 'f')
    await checkAttempt(stage, attempt, { status: 403, code: 'scope_insufficient', scope: 'db:admin mcp:tools', id: 'f' })
  })

  it.each(all)('a token for another server is refused, as %j', async (version) => {
    await expectRefused(version, { token: forAnother, body: echo }, { status: 401, code: 'token_audience_mismatch' })
  })

  it.each(all)('a token without an audience is refused, as %j', async (version) => {
    await expectRefused(version, { token: withoutAudience, body: echo }, { status: 401, code: 'token_audience_mismatch' })
  })

  it.each(all)('a request without a token is refused, as %j', async (version) => {
    await expectRefused(version, { token: undefined, body: echo }, { status: 401, code: 'token_missing' })
  })

  it.each(all)('a stream, or the end of a session, needs the base scope, as %j', async (version) => {
    const outcome = { status: 403, code: 'scope_insufficient', scope: 'mcp:tools' }
    await expectRefused(version, { method: 'GET', token: poor }, outcome)
    await expectRefused(version, { method: 'DELETE', token: poor }, outcome)
  })

  it('two version headers are none, even when they agree', async () => {
    for (const second of ['2025-11-25', '2024-11-05']) {
      const headers = [
        ['MCP-Protocol-Version', '2025-11-25'],
        ['mcp-protocol-version', second],
      ] as const
      await checkAttempt(stage, { headers, body: echo }, { status: 400, code: 'header_mismatch' })
    }
  })

  it('the version may be on neither or on both sides, and then it must be the same', async () => {
    const { body } = createModern('tools/call', { name: 'drop_db' })
    for (const version of [undefined, '2025-11-25', '2024-11-05', '2026-07-29', '2026-07-28 2026-07-28']) {
      await checkAttempt(stage, claim(version, { body }), { status: 400, code: 'header_mismatch', rpc: -32020, id: 1 })
    }
  })
})

describe('old clients', () => {
  it('are turned away where they are not served, on every method and with every token', async () => {
    const strict = await startStage({ server: { legacy_clients: 'reject' } })
    const headers = [['MCP-Protocol-Version', '2024-11-05']] as const
    for (const method of ['POST', 'GET', 'DELETE', 'HEAD']) {
      for (const token of [strict.token, undefined]) {
        const attempt = { method, token, headers, ...(method === 'POST' ? { body: echo } : {}) }
        await checkAttempt(strict, attempt, { status: 400, code: 'legacy_client_rejected' })
      }
    }
    await strict.close()
  })

  describe('where they are not served, are turned away when they open a session', () => {
    let strict: Stage
    beforeAll(async () => {
      strict = await startStage({ server: { legacy_clients: 'reject' } })
    })
    afterAll(() => strict.close())
    const open = (params: unknown) => createCall('initialize', params)
    const rejected = { status: 400, code: 'legacy_client_rejected' }

    it.each([
      ['2024-11-05', { protocolVersion: '2024-11-05' }],
      ['the draft before it', { protocolVersion: '2024-10-07' }],
      ['no version', {}],
      ['a number', { protocolVersion: 20241105 }],
      ['nothing', undefined],
    ])('with %s', async (_what, params) => {
      await checkAttempt(strict, { body: open(params) }, { ...rejected, id: 1 })
      const headers = [['MCP-Protocol-Version', '2025-11-25']] as const
      await checkAttempt(strict, { body: open(params), headers }, { ...rejected, id: 1 })
    })

    it('in a batch, and with a key that a careless reader takes for the version', async () => {
      const body = [createCall('ping', undefined, 2), open({ protocolVersion: '2024-11-05' })]
      await checkAttempt(strict, { body }, { ...rejected, id: [2, 1] })
      const two = open({ protocolVersion: '2025-11-25', ProtocolVersion: '2024-11-05' })
      await checkAttempt(strict, { body: two }, { status: 400, code: 'json_ambiguous', id: 1 })
    })

    it('others are not, nor are clients that open none', async () => {
      for (const protocolVersion of ['2025-03-26', '2025-06-18', '2025-11-25', '2031-01-01', 'DRAFT'])
        await checkAttempt(strict, { body: open({ protocolVersion }) }, { status: 200 })
      await checkAttempt(
        strict,
        { body: createCall('tools/call', { name: 'echo', protocolVersion: '2024-11-05' }) },
        { status: 200 },
      )
      await checkAttempt(stage, { body: open({ protocolVersion: '2024-11-05' }) }, { status: 200 })
    })
  })

  it('get no excuse for a missing audience by claiming to be old, not even where old clients are trusted by signature', async () => {
    const lenient = await startStage({ server: { legacy_clients: 'signature_only' } })
    const token = await lenient.mint({ aud: undefined, scope: undefined })
    const refused = { status: 401, code: 'token_audience_mismatch' }
    for (const version of [undefined, '2025-06-18', '2025-11-25', '2026-07-28', '2024-11-0'])
      await checkAttempt(lenient, claim(version, { token, body: echo }), refused)
    for (const version of ['2024-11-05', '2024-11-05 '])
      await checkAttempt(lenient, claim(version, { token, body: echo }), refused)
    await lenient.close()
  })

  it('may not use a token for another audience over HTTP+SSE, where they need none', async () => {
    const lenient = await startStage({
      servers: (around) => [
        createServer(around, { legacy_clients: 'signature_only', sse: { path: '/sse', upstream: `${around.upstream}/sse` } }),
      ],
    })
    for (const aud of ['https://other.example.com/mcp', [], '', null, {}, ['']]) {
      const token = await lenient.mint({ aud })
      const attempt = claim('2024-11-05', { token, method: 'GET', target: '/sse' })
      await checkAttempt(lenient, attempt, { status: 401, code: 'token_audience_mismatch' })
    }
    await lenient.close()
  })

  it('with a token that names an audience are held to its scopes, even there', async () => {
    const lenient = await startStage({ server: { legacy_clients: 'signature_only' } })
    const headers = [['MCP-Protocol-Version', '2024-11-05']] as const
    const outcome = { status: 403, code: 'scope_insufficient', scope: 'db:admin mcp:tools' }
    await checkAttempt(lenient, { headers, body: dropDb }, outcome)
    await lenient.close()
  })
})
