import { afterAll, beforeAll, describe, it } from 'vitest'
import { checkAttempt, createCall, createModern, createNotification, type Stage, startStage } from '../support/stage.ts'

let open: Stage
let closed: Stage
const rules = [
  { tool: 'echo', scopes: [] },
  { tool: 'read_*', scopes: ['mcp:read'] },
  { tool: 'drop_db', scopes: ['db:admin'] },
  { prompt: 'greet', scopes: [] },
  { prompt: 'secret', scopes: ['secrets'] },
  { resource: 'file:///public/**', scopes: [] },
  { resource: 'file:///secret/**', scopes: ['secrets'] },
]
beforeAll(async () => {
  open = await startStage({ server: { rules } })
  closed = await startStage({ server: { rules, unlisted_operations: 'deny' } })
})
afterAll(() => Promise.all([open.close(), closed.close()]))

const secrets = { status: 403, code: 'scope_insufficient', scope: 'mcp:tools secrets', id: 1 }
const unlisted = { status: 403, code: 'policy_denied', id: 1, rpc: -31403 }

describe('a resource is guarded on every way that leads to it', () => {
  const uri = 'file:///secret/plan.txt'
  it.each<[string, Record<string, unknown>]>([
    ['reading it', createCall('resources/read', { uri })],
    ['hearing of it', createCall('resources/subscribe', { uri })],
    ['hearing no more of it', createCall('resources/unsubscribe', { uri })],
    [
      'completing it',
      createCall('completion/complete', { ref: { type: 'ref/resource', uri }, argument: { name: 'a', value: 'b' } }),
    ],
    [
      'completing below it',
      createCall('completion/complete', { ref: { type: 'ref/resource', uri: 'file:///secret/{name}' }, argument: {} }),
    ],
    ['listening to it', createCall('subscriptions/listen', { notifications: { resourceSubscriptions: [uri] } })],
    [
      'listening to it among others',
      createCall('subscriptions/listen', {
        notifications: { toolsListChanged: true, resourceSubscriptions: ['file:///public/a', uri, 'file:///public/b'] },
      }),
    ],
  ])('%s', async (_what, body) => {
    await checkAttempt(open, { body }, secrets)
    await checkAttempt(closed, { body }, secrets)
  })

  it.each(['resources/read', 'resources/subscribe'])('%s as a notification', async (method) => {
    for (const stage of [open, closed]) {
      await checkAttempt(stage, { body: createNotification(method, { uri }) }, { ...secrets, id: undefined })
    }
  })

  it('with the headers of 2026-07-28', async () => {
    for (const stage of [open, closed]) {
      await checkAttempt(stage, createModern('resources/read', { uri }), secrets)
      await checkAttempt(
        stage,
        createModern('subscriptions/listen', { notifications: { resourceSubscriptions: [uri] } }),
        secrets,
      )
    }
  })

  it.each([
    'file:///public/../secret/plan.txt',
    'file:///public/%2e%2e/secret/plan.txt',
    'file:///public/..%2fsecret/plan.txt',
    'file:///public/%252e%252e/secret/plan.txt',
    'file:///public/..\\secret\\plan.txt',
    'file:///%73ecret/plan.txt',
    'file:////secret/plan.txt',
    'file:///./secret/plan.txt',
    'file:/secret/plan.txt',
    'FILE:///secret/plan.txt',
    'file:///secret//plan.txt',
    'file:///secret/plan.txt?',
    'file:///secret/plan.txt#x',
    'file:///sec\tret/plan.txt',
    '\u0001file:///secret/plan.txt',
    ' file:///secret/plan.txt ',
    'file://localhost/secret/plan.txt',
  ])('spelled %j', async (spelling) => {
    await checkAttempt(open, { body: createCall('resources/read', { uri: spelling }) }, secrets)
  })

  it('completing a template that could reach it', async () => {
    for (const template of [
      'file:///{path}',
      'file:///{dir}/{name}',
      'file://{+path}',
      '{+uri}',
      'file:///secre{rest}',
      'file:///secret/{+path}',
    ]) {
      const body = createCall('completion/complete', {
        ref: { type: 'ref/resource', uri: template },
        argument: { name: 'path', value: 'secret/' },
      })
      await checkAttempt(open, { body }, secrets)
    }
  })
})

describe('a prompt is guarded on every way that leads to it', () => {
  it.each<[string, Record<string, unknown>]>([
    ['getting it', createCall('prompts/get', { name: 'secret' })],
    [
      'completing it',
      createCall('completion/complete', { ref: { type: 'ref/prompt', name: 'secret' }, argument: { name: 'a', value: '' } }),
    ],
    [
      'completing it under two kinds',
      createCall('completion/complete', { ref: { type: 'ref/prompt', name: 'secret', uri: 'file:///public/a' }, argument: {} }),
    ],
  ])('%s', async (_what, body) => {
    await checkAttempt(open, { body }, secrets)
    await checkAttempt(closed, { body }, secrets)
  })
})

describe('where only what is listed is permitted', () => {
  it.each<[string, Record<string, unknown>]>([
    ['an unlisted tool', createCall('tools/call', { name: 'other' })],
    ['a tool whose name begins like a listed one', createCall('tools/call', { name: 'echo2' })],
    ['a tool whose name ends like a listed one', createCall('tools/call', { name: 'xecho' })],
    ['a tool whose name holds a listed one', createCall('tools/call', { name: 'a\necho' })],
    ['a tool in another case', createCall('tools/call', { name: 'ECHO' })],
    ['a tool by the name of a prompt', createCall('tools/call', { name: 'greet' })],
    ['a tool by the name of a resource', createCall('tools/call', { name: 'file:///public/a' })],
    ["a tool by the name of an object's member", createCall('tools/call', { name: '__proto__' })],
    ['a tool by the name of everything', createCall('tools/call', { name: '*' })],
    ['a tool without a name', createCall('tools/call', { name: '' })],
    ['an unlisted prompt', createCall('prompts/get', { name: 'other' })],
    ['a prompt by the name of a tool', createCall('prompts/get', { name: 'echo' })],
    ['an unlisted resource', createCall('resources/read', { uri: 'file:///other' })],
    ['a resource that leaves a listed one', createCall('resources/read', { uri: 'file:///public/../other' })],
    ['a resource that leaves a listed one by escapes', createCall('resources/read', { uri: 'file:///public/%2e%2e/other' })],
    [
      'a resource that leaves a listed one by escaped escapes',
      createCall('resources/read', { uri: 'file:///public/%252e%252e/other' }),
    ],
    ['a resource that leaves a listed one by backslashes', createCall('resources/read', { uri: 'file:///public/..\\other' })],
    ['a resource by the name of a tool', createCall('resources/read', { uri: 'echo' })],
    ['a subscription to something unlisted', createCall('resources/subscribe', { uri: 'file:///other' })],
    ['a subscription to nothing in particular', createCall('resources/subscribe', {})],
    [
      'a filter that names something unlisted',
      createCall('subscriptions/listen', { notifications: { resourceSubscriptions: ['file:///public/a', 'file:///other'] } }),
    ],
    ['a filter that names nothing', createCall('subscriptions/listen', { notifications: { toolsListChanged: true } })],
    [
      'a completion of something unlisted',
      createCall('completion/complete', { ref: { type: 'ref/prompt', name: 'other' }, argument: {} }),
    ],
    [
      'a completion of a template that is not listed',
      createCall('completion/complete', { ref: { type: 'ref/resource', uri: 'file:///{x}' }, argument: {} }),
    ],
    ['the log level', createCall('logging/setLevel', { level: 'debug' })],
    ['a task', createCall('tasks/get', { taskId: '1' })],
    ['the result of a task', createCall('tasks/result', { taskId: '1' })],
    ['all tasks', createCall('tasks/list')],
    ['the end of a task', createCall('tasks/cancel', { taskId: '1' })],
    ['what only a server asks', createCall('sampling/createMessage', { messages: [] })],
    ['what only a server asks of a person', createCall('elicitation/create', { message: 'password?' })],
    ['the roots', createCall('roots/list')],
    ['a notification with an id, which is a request', createCall('notifications/initialized', {})],
    ['a method that nobody knows', createCall('admin/shutdown')],
    ['a method with a line break', createCall('ping\ntools/call', { name: 'echo' })],
    ['a method that begins like one that is open', createCall('initialize2', {})],
    ['a family of methods', createCall('tools/*', {})],
    ['a method of an object', createCall('constructor', {})],
    ['a method with a dot', createCall('tools.call', { name: 'echo' })],
    ['a method of JSON-RPC itself', createCall('rpc.discover', {})],
  ])('%s is refused', async (_what, body) => {
    await checkAttempt(closed, { body }, unlisted)
  })

  it.each(['tools/call', 'logging/setLevel', 'tasks/cancel', 'whatever'])('%s as a notification is refused', async (method) => {
    await checkAttempt(closed, { body: createNotification(method, { name: 'other' }) }, { ...unlisted, id: undefined })
  })

  it.each<[string, Record<string, unknown>]>([
    ['initialize', createCall('initialize', {})],
    ['ping', createCall('ping')],
    ['server/discover', createCall('server/discover')],
    ['tools/list', createCall('tools/list')],
    ['a listed tool', createCall('tools/call', { name: 'echo' })],
    ['a listed resource', createCall('resources/read', { uri: 'file:///public/a' })],
  ])('%s passes', async (_what, body) => {
    await checkAttempt(closed, { body }, { status: 200 })
  })

  it.each<[string, Record<string, unknown>]>([
    ['a notification', createNotification('notifications/initialized', {})],
    ['an answer to the server', { jsonrpc: '2.0', id: 5, result: {} }],
  ])('%s passes', async (_what, body) => {
    await checkAttempt(closed, { body }, { status: 202 })
  })

  it('patterns of names match whole names', async () => {
    const token = await closed.mint({ scope: 'mcp:tools mcp:read' })
    await checkAttempt(closed, { token, body: createCall('tools/call', { name: 'read_mail' }) }, { status: 200 })
    for (const name of ['xread_mail', 'read', 'READ_mail', 'a\nread_mail']) {
      await checkAttempt(closed, { token, body: createCall('tools/call', { name }) }, unlisted)
    }
  })
})

describe('every method of the endpoint is guarded', () => {
  const methods = ['GET', 'POST', 'DELETE', 'HEAD', 'PUT', 'PATCH', 'TRACE', 'QUERY', 'PROPFIND', 'SEARCH', 'M-SEARCH', 'LOCK']

  it.each(methods)('%s without a token', async (method) => {
    await checkAttempt(open, { method, token: undefined }, { status: 401, code: 'token_missing' })
  })

  it.each(methods.filter((method) => !['GET', 'POST', 'DELETE'].includes(method)))(
    '%s with a token is not answered',
    async (method) => {
      await checkAttempt(open, { method }, { status: 405, code: 'method_not_allowed' })
    },
  )

  it.each(['GET', 'DELETE', 'HEAD'])('%s takes no body that could hold a call', async (method) => {
    const body = createCall('tools/call', { name: 'drop_db' })
    await checkAttempt(open, { method, body }, { status: method === 'HEAD' ? 405 : 400 })
  })

  it('OPTIONS reaches no upstream, with or without a token', async () => {
    for (const token of [undefined, open.token])
      await checkAttempt(open, { method: 'OPTIONS', token }, { status: 204, arrives: false })
  })

  it.each(['X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override'])('%s overrides nothing', async (name) => {
    const attempt = { method: 'GET', headers: [[name, 'POST']] as const }
    await checkAttempt(open, attempt, { status: 200, headers: [] })
  })
})

describe('what is in _meta is for the MCP server alone', () => {
  it.each([
    { principal: { subject: 'root', scopes: ['db:admin'] } },
    { 'io.modelcontextprotocol/clientInfo': { name: 'admin' } },
    { authorization: 'Bearer x', scopes: ['db:admin'] },
    { 'x-forwarded-user': 'root' },
  ])('%j grants nothing', async (_meta) => {
    const body = createCall('tools/call', { name: 'drop_db', _meta })
    const outcome = { status: 403, code: 'scope_insufficient', scope: 'db:admin mcp:tools', id: 1 }
    for (const stage of [open, closed]) await checkAttempt(stage, { body }, outcome)
  })
})
