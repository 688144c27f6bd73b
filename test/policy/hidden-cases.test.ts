import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  ask,
  batch,
  call,
  completePrompt,
  completeTemplate,
  getPrompt,
  notify,
  notProcessed,
  read,
  speak,
  unknownPrompt,
  unknownResource,
  unknownTool,
} from '../support/policy-messages.ts'
import { type Outcome, type PolicyStage, startPolicyStage } from '../support/policy-stage.ts'
import { openRawConnection } from '../support/raw-client.ts'
import { controlStream } from '../support/recording-upstream.ts'

let stage: PolicyStage
beforeAll(async () => {
  stage = await startPolicyStage({
    '/hidden': {
      scopes: ['base'],
      bearer_methods: ['header', 'body', 'query'],
      sse: '/hidden/sse',
      rules: [
        { tool: 'admin_*', require: "'admins' in principal.groups", on_deny: 'hide', reason: 'Never told.' },
        { tool: 'gone', deny: true, on_deny: 'hide' },
        { tool: 'paid', scopes: ['gold'], on_deny: 'hide' },
        { tool: 'cheap', require: 'args.amount < 10', on_deny: 'hide' },
        { tool: 'open_deny', deny: true, reason: 'Told.' },
        { tool: 'step', scopes: ['step'] },
        { prompt: 'admin_*', deny: true, on_deny: 'hide' },
        { resource: 'secret://**', deny: true, on_deny: 'hide' },
        { method: 'tasks/*', deny: true, on_deny: 'hide' },
      ],
    },
    '/paths': {
      scopes: ['base'],
      sse: '/paths/sse',
      rules: [
        { path: '/paths', require: "'office' in principal.groups", reason: 'Only from the office.' },
        { path: '/paths', scopes: ['here'] },
        { path: '/paths/sse', deny: true },
      ],
    },
    '/shadow': {
      access: [{ groups: ['admins'], tools: ['admin_*'] }],
      access_mode: 'shadow',
      rules: [
        { tool: 'watched', deny: true, mode: 'shadow' },
        { tool: 'priced', scopes: ['gold'], mode: 'shadow' },
        { tool: 'counted', require: 'args.amount < 10', mode: 'shadow' },
        { tool: 'veiled', deny: true, on_deny: 'hide', mode: 'shadow' },
        { tool: 'both', deny: true, mode: 'shadow' },
        { tool: 'both', scopes: ['real'] },
        { path: '/shadow', require: "!('visitors' in principal.groups)", mode: 'shadow' },
      ],
    },
  })
})
afterAll(() => stage.close())

const people = {
  plain: { scope: 'base' },
  admin: { scope: 'base', groups: ['admins'] },
  gold: { scope: 'base gold' },
  nobody: { scope: 'none' },
  office: { scope: 'base here', groups: ['office'] },
  officeWithout: { scope: 'base', groups: ['office'] },
  home: { scope: 'base here' },
  visitor: { scope: 'base', groups: ['admins', 'visitors'] },
} as const satisfies Record<string, object>

type Who = keyof typeof people
type Case = readonly [who: Who, body: string, outcome: Outcome]
const tokenOf = (who: Who): Promise<string> => stage.tokenFor(people[who])

const checkAt =
  (target: string) =>
  async (who: Who, body: string, outcome: Outcome): Promise<void> => {
    await stage.checkOutcome({ target, token: await tokenOf(who), body }, outcome)
  }
const hiddenTool = (name: string): Outcome => ({ hidden: [unknownTool(name)] })

describe('what a rule hides does not exist for those whom it refuses', () => {
  it.each<Case>([
    ['plain', call('admin_reset'), hiddenTool('admin_reset')],
    ['plain', call('admin_'), hiddenTool('admin_')],
    ['admin', call('admin_reset'), 'served'],
    ['admin', call('gone'), hiddenTool('gone')],
    ['plain', call('paid'), hiddenTool('paid')],
    ['gold', call('paid'), 'served'],
    ['plain', call('cheap', { amount: 5 }), 'served'],
    ['plain', call('cheap', { amount: 50 }), hiddenTool('cheap')],
    ['plain', call('cheap'), hiddenTool('cheap')],
    ['plain', call('open_deny'), 'refused: Told.'],
    ['plain', call('Admin_reset'), 'served'],
    ['nobody', call('gone'), hiddenTool('gone')],
    ['nobody', call('step'), 'needs base step'],
    ['plain', getPrompt('admin_letter'), { hidden: [unknownPrompt('admin_letter')] }],
    ['plain', completePrompt('admin_letter'), { hidden: [unknownPrompt('admin_letter')] }],
    ['plain', read('secret://x'), { hidden: [unknownResource('secret://x')] }],
    ['plain', ask('resources/subscribe', { uri: 'secret://x' }), { hidden: [unknownResource('secret://x')] }],
    ['plain', ask('resources/unsubscribe', { uri: 'secret://x' }), { hidden: [unknownResource('secret://x')] }],
    ['plain', completeTemplate('secret://{id}'), { hidden: [unknownResource('secret://{id}', -32602)] }],
    ['plain', ask('tasks/list'), 'refused'],
    ['plain', notify('tools/call', { name: 'gone' }), 'dropped'],
    ['plain', call('gone', {}, 'a"b\\'), { hidden: [unknownTool('gone', 'a"b\\')] }],
    ['plain', call('gone', {}, 0), { hidden: [unknownTool('gone', 0)] }],
  ])('%s: %s', checkAt('/hidden'))

  it('and an id that is written 1.0 comes back as it was written', async () => {
    const body = '{"jsonrpc":"2.0","id":1.0,"method":"tools/call","params":{"name":"gone"}}'
    const answer = await stage.checkOutcome({ target: '/hidden', token: await tokenOf('plain'), body }, hiddenOf(1))
    expect(answer.body.toString('utf8')).toContain('"id":1.0,')
  })
})

const hiddenOf = (id: unknown): Outcome => ({ hidden: [unknownTool('gone', id)] })

describe('a batch with a hidden call is refused whole, each request with its own error', () => {
  it.each<Case>([
    ['plain', batch(call('echo', {}, 1), call('gone', {}, 2)), { hidden: [notProcessed(1), unknownTool('gone', 2)] }],
    ['plain', batch(call('gone', {}, 1), call('open_deny', {}, 2)), { hidden: [unknownTool('gone', 1), notProcessed(2)] }],
    ['plain', batch(call('gone', {}, 1), call('step', {}, 2)), { hidden: [unknownTool('gone', 1), notProcessed(2)] }],
    ['plain', batch(call('gone', {}, 1), call('gone', {}, '1')), { hidden: [unknownTool('gone', 1), unknownTool('gone', '1')] }],
    ['plain', batch(call('echo', {}, 1), call('gone', {}, 1)), { hidden: [unknownTool('gone', 1)] }],
    ['plain', batch(call('gone', {}, 1), call('echo', {}, 1)), { hidden: [unknownTool('gone', 1)] }],
    ['plain', batch(call('echo', {}, 1), notify('tools/call', { name: 'gone' })), { hidden: [notProcessed(1)] }],
    ['plain', batch(notify('tools/call', { name: 'gone' }), notify('notifications/initialized')), 'dropped'],
    ['plain', batch(call('gone', {}, 3)), { hidden: [unknownTool('gone', 3)] }],
    ['plain', batch('{"jsonrpc":"2.0","id":9,"result":{}}', call('gone', {}, 3)), { hidden: [unknownTool('gone', 3)] }],
    ['plain', batch(call('echo', {}, 1), call('echo', {}, 2)), 'served'],
  ])('%s: %s', checkAt('/hidden'))

  it('and in the form of a batch, also where it had one message', async () => {
    const sending = { target: '/hidden', token: await tokenOf('plain'), body: batch(call('gone', {}, 3)) }
    const answer = await stage.checkOutcome(sending, { hidden: [unknownTool('gone', 3)] })
    expect(answer.body.toString('utf8')).toMatch(/^\[.*\]$/)
  })
})

const revisions = ['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25', '2026-07-28'] as const

describe.each(revisions)('in revision %s', (revision) => {
  const missing = revision === '2026-07-28' ? -32602 : -32002
  it.each<readonly [body: string, outcome: Outcome]>([
    [call('gone'), hiddenTool('gone')],
    [getPrompt('admin_x'), { hidden: [unknownPrompt('admin_x')] }],
    [read('secret://x'), { hidden: [unknownResource('secret://x', missing)] }],
    [completePrompt('admin_x'), { hidden: [unknownPrompt('admin_x')] }],
    [call('open_deny'), 'refused: Told.'],
    [call('step'), 'needs base step'],
    [call('echo'), 'served'],
  ])('%s', async (message, outcome) => {
    const { body, headers } = speak(revision, message)
    await stage.checkOutcome({ target: '/hidden', token: await tokenOf('plain'), body, headers }, outcome)
  })

  it('batches are what the revision says', async () => {
    const headers = [`MCP-Protocol-Version: ${revision}`]
    const outcome: Outcome = revision < '2025-06-18' ? { hidden: [unknownTool('gone')] } : '400 message_invalid'
    await stage.checkOutcome({ target: '/hidden', token: await tokenOf('plain'), body: batch(call('gone')), headers }, outcome)
  })
})

describe('the answer for a hidden name is the same, whether or not it exists', () => {
  it.each<readonly [existing: string, made: string, form: (name: string) => string, outcome: (name: string) => Outcome]>([
    ['admin_reset', 'admin_xyzzy', call, hiddenTool],
    ['admin_letter', 'admin_xyzzy0', getPrompt, (name) => ({ hidden: [unknownPrompt(name)] })],
    ['secret://plan', 'secret://nope', read, (uri) => ({ hidden: [unknownResource(uri)] })],
  ])('%s and %s', async (existing, made, form, outcome) => {
    const receive = async (name: string): Promise<unknown> => {
      const sending = { target: '/hidden', token: await tokenOf('plain'), body: form(name) }
      const { status, headers, body } = await stage.checkOutcome(sending, outcome(name))
      const stable = headers.filter(([field]) => !['date', 'x-request-id'].includes(field.toLowerCase()))
      return { status, headers: stable, body: body.toString('utf8').replaceAll(name, 'NAME') }
    }
    expect(await receive(existing)).toEqual(await receive(made))
  })
})

describe('the token may stand elsewhere, and the same is decided', () => {
  it.each<readonly [who: Who, message: string, outcome: Outcome]>([
    ['plain', call('gone'), hiddenTool('gone')],
    ['plain', call('cheap', { amount: 50 }), hiddenTool('cheap')],
    ['plain', call('cheap', { amount: 5 }), 'served'],
    ['plain', call('step'), 'needs base step'],
    ['plain', call('open_deny'), 'refused: Told.'],
  ])('%s: %s', async (who, message, outcome) => {
    const token = await tokenOf(who)
    await stage.checkOutcome({ target: `/hidden?access_token=${token}`, token: undefined, body: message }, outcome)
    const body = new URLSearchParams({ access_token: token, message }).toString()
    const headers = ['Content-Type: application/x-www-form-urlencoded']
    await stage.checkOutcome({ target: '/hidden', token: undefined, headers, body, forwarded: message }, outcome)
  })
})

describe('over HTTP+SSE', () => {
  it('the same is decided about messages, and what is hidden is answered on the event stream', async () => {
    const stream = controlStream()
    stage.answerWith(stream.answer)
    const connection = await openRawConnection(stage.proxy.port)
    const token = await tokenOf('plain')
    connection.write(`GET /hidden/sse HTTP/1.1\r\nHost: localhost:${stage.proxy.port}\r\nAuthorization: Bearer ${token}\r\n\r\n`)
    await stream.send('event: endpoint\ndata: /up/messages?session_id=1\n\n')
    await connection.waitFor('data: /hidden/messages?endpoint=')
    await connection.waitFor('\n\n')
    const target = /data: (\S+endpoint=\S+)/.exec(connection.received().toString('utf8'))?.[1] ?? ''
    stage.answerWith((_request, response) => void response.writeHead(200).end('{}'))
    try {
      await stage.checkOutcome({ target, token, body: call('echo') }, 'served')
      await stage.checkOutcome({ target, token, body: call('gone') }, 'dropped')
      await connection.waitFor('"error":{"code":-32602,"message":"Unknown tool: gone"}')
      await stage.checkOutcome({ target, token, body: call('cheap', { amount: 50 }) }, 'dropped')
      await connection.waitFor('"error":{"code":-32602,"message":"Unknown tool: cheap"}')
      await stage.checkOutcome({ target, token, body: call('cheap', { amount: 5 }) }, 'served')
      await stage.checkOutcome({ target, token, body: notify('tools/call', { name: 'gone' }) }, 'dropped')
      await stage.checkOutcome({ target, token, body: call('open_deny') }, 'refused: Told.')
      await stage.checkOutcome({ target, token, body: call('step') }, 'needs base step')
    } finally {
      connection.destroy()
    }
    // Without the stream there is none to answer on: the status tells the client not to wait.
    await connection.closed
    await stage.proxy.log.waitFor(({ path, method }) => path === '/hidden/sse' && method === 'GET')
    await stage.checkOutcome({ target, token, body: call('gone') }, { hidden: [unknownTool('gone')], status: 400 })
  })
})

describe('a rule about a path holds for every request to it', () => {
  it.each<readonly [method: string, target: string, who: Who, outcome: Outcome]>([
    ['POST', '/paths', 'office', 'served'],
    ['POST', '/paths', 'home', 'refused: Only from the office.'],
    ['POST', '/paths', 'plain', 'refused: Only from the office.'],
    ['POST', '/paths', 'officeWithout', 'needs base here'],
    ['GET', '/paths', 'office', 'served'],
    ['GET', '/paths', 'home', 'refused: Only from the office.'],
    ['GET', '/paths', 'officeWithout', 'needs base here'],
    ['DELETE', '/paths', 'office', 'served'],
    ['DELETE', '/paths', 'home', 'refused: Only from the office.'],
    ['GET', '/paths/sse', 'office', 'refused'],
    ['GET', '/paths/sse', 'home', 'refused'],
  ])('%s %s, %s', async (method, target, who, outcome) => {
    stage.answerWith((_request, response) => void response.writeHead(200, { 'Content-Type': 'application/json' }).end('{}'))
    const body = method === 'POST' ? { body: ask('ping') } : {}
    const headers = ['Accept: application/json, text/event-stream', 'Last-Event-ID: 5']
    await stage.checkOutcome({ method, target, token: await tokenOf(who), headers, ...body }, outcome)
  })
})

describe('in shadow mode a rule is decided and logged, and changes nothing', () => {
  it.each<Case>([
    ['admin', call('watched'), 'would deny rules[0]: the rule denies it'],
    ['admin', call('priced'), 'would deny rules[1]: missing gold'],
    ['gold', call('admin_x'), 'would deny access: '],
    ['admin', call('admin_x'), 'served'],
    ['admin', call('counted', { amount: 50 }), 'would deny rules[2]: require is false'],
    ['admin', call('counted'), 'would deny rules[2]: args.amount is missing'],
    ['admin', call('veiled'), 'would deny rules[3]'],
    ['admin', call('both'), 'needs real'],
    ['visitor', call('admin_x'), 'would deny rules[6]'],
    ['visitor', ask('ping'), 'would deny rules[6]'],
    ['admin', ask('tools/list'), 'served'],
    ['plain', ask('logging/setLevel', { level: 'info' }), 'would deny access: '],
    ['plain', getPrompt('x'), 'would deny access: '],
    ['plain', read('x://y'), 'would deny access: '],
    ['plain', batch(call('a', {}, 1), call('b', {}, 2)), 'would deny access: '],
  ])('%s: %s', checkAt('/shadow'))
})
