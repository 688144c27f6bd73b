import { afterAll, beforeAll, describe, it } from 'vitest'
import { ask, batch, call, callRaw, completePrompt, getPrompt, notify, read } from '../support/policy-messages.ts'
import { type Outcome, type PolicyStage, startPolicyStage } from '../support/policy-stage.ts'

const refundReason = 'Refunds over 100 need finance.'

let stage: PolicyStage
beforeAll(async () => {
  stage = await startPolicyStage({
    '/rules': {
      scopes: ['base'],
      rules: [
        { tool: 'refund', require: "args.amount <= 100 || 'finance' in principal.groups", reason: refundReason },
        { tool: 'refund', scopes: ['money'] },
        { tool: 'exact', require: 'args.id == 9007199254740993' },
        { tool: 'small', require: 'args.amount < 10' },
        { tool: 'optional', require: '!has(args.force)' },
        { tool: 'nested', require: "args.order.currency in ['EUR', 'USD'] && args.order.items.all(x, x.count <= 3)" },
        { tool: 'named', require: "args['first name'] == 'Ann'" },
        { tool: 'drop_*', deny: true, reason: 'Never here.' },
        { tool: 'quiet', deny: true },
        { tool: 'export', require: "operation.method == 'tools/call' && request.revision == '2025-11-25'" },
        { tool: 'mine', require: 'args.owner == principal.subject' },
        { tool: 'home', require: "request.address.startsWith('127.') && server == 'rules' && request.path == '/rules'" },
        { tool: 'now', require: "now > timestamp('2020-01-01T00:00:00Z')" },
        { tool: 'later', require: "now > timestamp('2999-01-01T00:00:00Z')" },
        { tool: 'by_claim', require: 'principal.claims.level >= 3' },
        { tool: 'by_scope', require: "'extra' in principal.scopes" },
        { prompt: 'letter', require: "args.tone == 'kind'", reason: 'Be kind.' },
        { prompt: 'secret', deny: true },
        { resource: 'file:///srv/**', require: "operation.target.endsWith('.md')" },
        { resource: 'db://secret/**', deny: true },
        { method: 'logging/setLevel', scopes: ['logs'] },
        { method: 'tasks/*', deny: true },
        { method: 'tools/call', require: "operation.target != 'blocked'" },
      ],
    },
    '/listed': {
      unlisted_operations: 'deny',
      rules: [
        { tool: 'get_*', scopes: [] },
        { tool: 'put_*', scopes: ['write'] },
        { tool: 'try', require: 'args.dry == true' },
        { tool: 'shadowed', scopes: ['x'], mode: 'shadow' },
      ],
    },
  })
})
afterAll(() => stage.close())

const people = {
  plain: { scope: 'base' },
  rich: { scope: 'base money' },
  finance: { scope: 'base money', groups: ['finance'] },
  level3: { scope: 'base', level: 3 },
  level2: { scope: 'base', level: 2 },
  levelText: { scope: 'base', level: '3' },
  levelHuge: { scope: 'base', level: 2 ** 53 },
  extra: { scope: 'base extra' },
  nobody: { scope: 'none' },
} as const satisfies Record<string, object>

type Who = keyof typeof people
type Case = readonly [who: Who, body: string, outcome: Outcome]

const checkAt =
  (target: string) =>
  async (who: Who, body: string, outcome: Outcome): Promise<void> => {
    const headers = body.startsWith('[') ? [] : ['MCP-Protocol-Version: 2025-11-25']
    await stage.checkOutcome({ target, token: await stage.tokenFor(people[who]), body, headers }, outcome)
  }
const told: Outcome = `refused: ${refundReason}`

describe('what a rule requires of arguments holds for what the MCP server reads', () => {
  it.each<Case>([
    ['rich', call('refund', { amount: 100 }), 'served'],
    ['rich', call('refund', { amount: 101 }), told],
    ['finance', call('refund', { amount: 101 }), 'served'],
    ['finance', call('refund', {}), 'served'],
    ['rich', callRaw('refund', '{"amount":100.0}'), 'served'],
    ['rich', callRaw('refund', '{"amount":100.00000001}'), told],
    ['rich', callRaw('refund', '{"amount":1e2}'), 'served'],
    ['rich', callRaw('refund', '{"amount":1e3}'), told],
    ['rich', callRaw('refund', '{"amount":-5}'), 'served'],
    ['rich', callRaw('refund', '{"amount":-0}'), 'served'],
    ['rich', callRaw('refund', '{"amount":1e999}'), told],
    ['rich', callRaw('refund', '{"amount":-1e999}'), told],
    ['rich', callRaw('refund', '{"amount":-99999999999999999999}'), told],
    ['rich', callRaw('refund', '{"amount":18446744073709551617}'), told],
    ['rich', callRaw('refund', '{"amount":"5"}'), told],
    ['rich', callRaw('refund', '{"amount":null}'), told],
    ['rich', callRaw('refund', '{"amount":true}'), told],
    ['rich', callRaw('refund', '{"amount":[5]}'), told],
    ['rich', callRaw('refund', '{"amount":{}}'), told],
    ['rich', callRaw('refund', '{}'), told],
    ['rich', callRaw('refund', 'null'), told],
    ['rich', callRaw('refund', '[]'), told],
    ['rich', callRaw('refund', '[{"amount":5}]'), told],
    ['rich', callRaw('refund', '"{\\"amount\\":5}"'), told],
    ['rich', callRaw('refund', '5'), told],
    ['rich', call('refund'), told],
    ['rich', callRaw('refund', '{"\\u0061mount":5}'), 'served'],
    ['rich', callRaw('refund', '{"\\u0061mount":500}'), told],
    ['rich', callRaw('refund', '{"amount":500,"\\u0061mount":5}'), '400 json_ambiguous'],
    ['rich', callRaw('refund', '{"amount":500,"amount":5}'), '400 json_ambiguous'],
    ['rich', callRaw('refund', '{"x":{"amount":5,"amount":500}}'), '400 json_ambiguous'],
    ['rich', callRaw('refund', '{"x":{"amount":5}}'), told],
    ['rich', callRaw('refund', '{"__proto__":{"amount":5}}'), told],
    ['rich', callRaw('refund', '{"amount":05}'), '400 json_invalid'],
    ['rich', callRaw('refund', '{"amount":NaN}'), '400 json_invalid'],
    ['plain', callRaw('exact', '{"id":9007199254740993}'), 'served'],
    ['plain', callRaw('exact', '{"id":9007199254740992}'), 'refused'],
    ['plain', callRaw('exact', '{"id":9007199254740993.0}'), 'refused'],
    ['plain', callRaw('small', '{"amount":9.999999999999999999}'), 'refused'],
    ['plain', callRaw('small', '{"amount":9.5}'), 'served'],
    ['plain', callRaw('small', '{"amount":10}'), 'refused'],
    ['plain', call('optional'), 'served'],
    ['plain', callRaw('optional', '{"force":false}'), 'refused'],
    ['plain', callRaw('optional', '{"force":null}'), 'refused'],
    ['plain', callRaw('optional', '{"forced":true}'), 'served'],
    ['plain', callRaw('optional', 'null'), 'refused'],
    ['plain', call('nested', { order: { currency: 'EUR', items: [{ count: 3 }, { count: 1 }] } }), 'served'],
    ['plain', call('nested', { order: { currency: 'EUR', items: [{ count: 3 }, { count: 4 }] } }), 'refused'],
    ['plain', call('nested', { order: { currency: 'CHF', items: [] } }), 'refused'],
    ['plain', call('nested', { order: { currency: 'EUR', items: {} } }), 'served'],
    ['plain', call('nested', { order: 'EUR' }), 'refused'],
    ['plain', call('named', { 'first name': 'Ann' }), 'served'],
    ['plain', callRaw('named', '{"first name":"\\u0041nn"}'), 'served'],
    ['plain', call('named', { 'first name': 'ann' }), 'refused'],
    ['plain', call('mine', { owner: 'alice' }), 'served'],
    ['plain', call('mine', { owner: 'bob' }), 'refused'],
  ])('%s: %s', checkAt('/rules'))
})

describe('all rules that match must hold, and only scopes lead to a challenge', () => {
  it.each<Case>([
    ['plain', call('refund', { amount: 5 }), 'needs base money'],
    ['plain', call('refund', { amount: 500 }), told],
    ['nobody', call('refund', { amount: 5 }), 'needs base money'],
    // Clients that replace their scopes by those of the challenge keep what an expression asks for.
    ['extra', call('refund', { amount: 5 }), 'needs base extra money'],
    ['nobody', call('other'), 'needs base'],
    ['plain', call('other'), 'served'],
    ['plain', call('drop_db'), 'refused: Never here.'],
    ['finance', call('drop_'), 'refused: Never here.'],
    ['plain', call('quiet'), 'refused'],
    ['plain', call('blocked'), 'refused'],
    ['plain', notify('tools/call', { name: 'blocked' }), 'refused'],
    ['plain', call('by_scope'), 'refused'],
    ['extra', call('by_scope'), 'served'],
    ['level3', call('by_claim'), 'served'],
    ['level2', call('by_claim'), 'refused'],
    ['levelText', call('by_claim'), 'refused'],
    ['levelHuge', call('by_claim'), 'refused'],
    ['plain', call('by_claim'), 'refused'],
    ['plain', call('export'), 'served'],
    ['plain', call('home'), 'served'],
    ['plain', call('now'), 'served'],
    ['plain', call('later'), 'refused'],
    ['plain', getPrompt('letter', { tone: 'kind' }), 'served'],
    ['plain', getPrompt('letter', { tone: 'rude' }), 'refused: Be kind.'],
    ['plain', getPrompt('letter'), 'refused: Be kind.'],
    ['plain', completePrompt('letter'), 'served'],
    ['plain', completePrompt('secret'), 'refused'],
    ['plain', getPrompt('secret'), 'refused'],
    ['plain', ask('logging/setLevel', { level: 'debug' }), 'needs base logs'],
    ['plain', ask('tasks/list'), 'refused'],
    ['plain', notify('tasks/cancel', { taskId: '1' }), 'refused'],
    ['plain', ask('tools/list'), 'served'],
    ['plain', notify('notifications/initialized'), 'passed'],
  ])('%s: %s', checkAt('/rules'))
})

describe('a rule about resources holds for whatever a URI may mean', () => {
  it.each<Case>([
    ['plain', read('file:///srv/a.md'), 'served'],
    ['plain', read('file:///srv/a.txt'), 'refused'],
    ['plain', read('file:///SRV/a.txt'), 'refused'],
    ['plain', read('file:///srv/%61.md'), 'refused'],
    ['plain', read('file:///srv/a.txt%00.md'), '403 resource_uri_ambiguous'],
    ['plain', read('file:///srv/a.txt?.md'), 'refused'],
    ['plain', read('file:///srv/a.txt#.md'), 'refused'],
    ['plain', read('file:///etc/passwd'), 'served'],
    ['plain', read('file:///etc/../srv/a.txt'), 'refused'],
    ['plain', read('db://secret/x'), 'refused'],
    ['plain', read('DB://secret/x'), 'refused'],
    ['plain', read('db://SECRET/x'), 'refused'],
    ['plain', read('other://secret/x'), 'served'],
    ['plain', read('db://secret/'), 'refused'],
    ['plain', ask('resources/subscribe', { uri: 'db://secret/x' }), 'refused'],
    ['plain', ask('subscriptions/listen', { notifications: { resourceSubscriptions: ['a://b', 'db://secret/x'] } }), 'refused'],
    ['plain', ask('resources/subscribe', {}), 'refused'],
  ])('%s: %s', checkAt('/rules'))
})

describe('a batch passes only where each of its messages does', () => {
  it.each<Case>([
    ['rich', batch(call('refund', { amount: 5 }, 1), call('other', {}, 2)), 'served'],
    ['rich', batch(call('refund', { amount: 5 }, 1), call('refund', { amount: 500 }, 2)), told],
    ['rich', batch(call('refund', { amount: 500 }, 1), call('refund', { amount: 5 }, 1)), told],
    ['rich', batch(call('refund', { amount: 500 }, 1), call('refund', { amount: 5 }, '1')), told],
    ['rich', batch(call('refund', { amount: 5 }, 1), notify('tools/call', { name: 'refund', arguments: { amount: 500 } })), told],
    ['rich', batch(ask('ping', {}, 1), '{"jsonrpc":"2.0","id":4,"result":{}}', call('refund', { amount: 500 }, 2)), told],
    ['plain', batch(call('refund', { amount: 5 }, 1), ask('logging/setLevel', {}, 2)), 'needs base logs money'],
    ['plain', batch(call('refund', { amount: 5 }, 1), call('drop_db', {}, 2)), 'refused: Never here.'],
  ])('%s: %s', checkAt('/rules'))
})

describe('where only listed operations are open, each rule that is enforced lists its own', () => {
  it.each<Case>([
    ['plain', call('get_a'), 'served'],
    ['plain', call('put_a'), 'needs write'],
    ['plain', call('other'), 'refused'],
    ['plain', call('try', { dry: true }), 'served'],
    ['plain', call('try', { dry: false }), 'refused'],
    ['plain', call('shadowed'), 'refused'],
    ['plain', ask('tools/list'), 'served'],
    ['plain', ask('prompts/list'), 'refused'],
    ['plain', ask('initialize', { protocolVersion: '2025-11-25' }), 'served'],
    ['plain', notify('notifications/initialized'), 'passed'],
    ['plain', notify('tools/call', { name: 'other' }), 'refused'],
  ])('%s: %s', checkAt('/listed'))
})
