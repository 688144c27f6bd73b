import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkAttempt, createCall, createNotification, type Stage, startStage } from '../support/stage.ts'

let stage: Stage
beforeAll(async () => {
  stage = await startStage({ config: { limits: { batch_members: 20 } } })
})
afterAll(() => stage.close())

const echo = (id: unknown) => createCall('tools/call', { name: 'echo' }, id)
const dropDb = (id: unknown) => createCall('tools/call', { name: 'drop_db' }, id)
const dropDbUnasked = createNotification('tools/call', { name: 'drop_db' })
const denied = { status: 403, code: 'scope_insufficient', scope: 'db:admin mcp:tools', rpc: -31403 }
const invalid = { status: 400, code: 'message_invalid', rpc: -32600 }

describe('a batch passes whole or not at all', () => {
  it.each<[string, unknown[], unknown[]]>([
    ['the forbidden call first', [dropDb(1), echo(2)], [1, 2]],
    ['the forbidden call last', [echo(1), echo('b'), dropDb(3)], [1, 'b', 3]],
    ['the forbidden call as a notification', [echo(1), dropDbUnasked], [1]],
    ['nothing but a forbidden notification', [dropDbUnasked], [undefined]],
    ['the forbidden call between responses', [{ jsonrpc: '2.0', id: 9, result: {} }, dropDb(1)], [1]],
    ['the forbidden call alone', [dropDb('x')], ['x']],
    ['every id the same', [echo(1), dropDb(1)], [1]],
  ])('%s: refused, and every id is answered', async (_what, body, id) => {
    await checkAttempt(stage, { body }, { ...denied, id })
  })

  it('of permitted calls arrives as it is', async () => {
    const body = ` [ ${JSON.stringify(echo(1))},\n${JSON.stringify(echo('b'))} ] `
    await checkAttempt(stage, { body }, { status: 200 })
    await checkAttempt(stage, { body, headers: [['MCP-Protocol-Version', '2025-03-26']] }, { status: 200 })
    await checkAttempt(stage, { body, headers: [['MCP-Protocol-Version', '2024-11-05']] }, { status: 200 })
  })

  it('of as many members as are permitted arrives, and one more does not', async () => {
    const members = Array.from({ length: 20 }, (_, index) => echo(index))
    await checkAttempt(stage, { body: members }, { status: 200 })
    await checkAttempt(stage, { body: [...members, echo(20)] }, { ...invalid, id: undefined })
  })
})

describe('a batch that is none is refused', () => {
  it.each<[string, unknown, unknown?]>([
    ['empty', []],
    ['ten thousand members', Array.from({ length: 10_000 }, (_, index) => echo(index))],
    ['four million bytes of nothing much', `[${'1,'.repeat(2_000_000)}1]`],
    ['a batch in a batch', [[echo(1)]]],
    ['a string among its members', [echo(1), 'tools/call'], [1]],
    ['null among its members', [echo(1), null], [1]],
    ['an empty object among its members', [echo(1), {}], [1]],
    ['one member of another JSON-RPC', [echo(1), { ...dropDb(2), jsonrpc: '1.0' }], [1, 2]],
    ['one member that is a call and a response', [echo(1), { ...dropDb(2), result: {} }], [1, 2]],
  ])('%s', async (_what, body, id) => {
    await checkAttempt(stage, { body }, { ...invalid, id })
  })

  it.each([
    ['Method beside method', [echo(1), { ...dropDb(2), method: 'ping', Method: 'tools/call' }]],
    [
      'two names',
      `[${JSON.stringify(echo(1))},{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo","name":"drop_db"}}]`,
    ],
  ])('a member with %s', async (_what, body) => {
    await checkAttempt(stage, { body }, { status: 400, code: 'json_ambiguous', id: [1, 2] })
  })
})

it.each([
  ['is no object', 'x', 'params_invalid'],
  ['is a list', ['x'], 'params_invalid'],
  ['is null', null, 'params_invalid'],
  ['holds a second spelling of a name that is replaced', { progressToken: 1, ProgressToken: 2 }, 'json_ambiguous'],
])(
  'a batch with metadata that %s is refused, like a single message: members are replaced in it, and added',
  async (_what, meta, code) => {
    const calls = [1, 2].map((id) => createCall('tools/call', { name: 'echo', ...(id === 2 && { _meta: meta }) }, id))
    await checkAttempt(stage, { body: calls }, { status: 400, code })
    await checkAttempt(stage, { body: calls[1] }, { status: 400, code })
  },
)

it.each(['2025-06-18', '2025-11-25', '2026-07-28', 'whatever'])('%s knows no batches', async (version) => {
  const headers = [['MCP-Protocol-Version', version]] as const
  await checkAttempt(stage, { headers, body: [echo(1), dropDb('b')] }, { ...invalid, id: [1, 'b'] })
})

it('a batch that names resources in every way is refused for any of them', async () => {
  const strict = await startStage({ server: { rules: [{ resource: 'file:///secret/**', scopes: ['secrets'] }] } })
  const members = [
    createCall('resources/read', { uri: 'file:///secret/a' }),
    createCall('resources/subscribe', { uri: 'file:///secret/a' }),
    createCall('completion/complete', {
      ref: { type: 'ref/resource', uri: 'file:///secret/a' },
      argument: { name: 'a', value: '' },
    }),
    createCall('subscriptions/listen', { notifications: { resourceSubscriptions: ['file:///a', 'file:///secret/a'] } }),
  ]
  for (const member of members) {
    const outcome = { ...denied, scope: 'mcp:tools secrets', id: [0, 1] }
    const answer = await checkAttempt(strict, { body: [createCall('ping', {}, 0), member] }, outcome)
    expect(JSON.parse(answer.body.toString())).toHaveLength(2)
  }
  await strict.close()
})
