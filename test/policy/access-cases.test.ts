import { afterAll, beforeAll, describe, it } from 'vitest'
import {
  ask,
  call,
  completePrompt,
  completeTemplate,
  getPrompt,
  notify,
  read,
  unknownPrompt,
  unknownResource,
  unknownTool,
} from '../support/policy-messages.ts'
import { type Outcome, type PolicyStage, startPolicyStage } from '../support/policy-stage.ts'

let stage: PolicyStage
beforeAll(async () => {
  stage = await startPolicyStage(
    {
      '/tickets': {
        scopes: ['tickets'],
        scope_hierarchy: { all: ['tickets'] },
        access: [
          { groups: ['support', 'admins'], tools: ['search_*', 'get_*', 'refund'], resources: ['ticket://**'] },
          { who: "principal.client_id == 'nightly' && 'robot' in principal.scopes", tools: ['export'] },
          { claim: 'email_domain', values: ['example.com'], prompts: ['*'] },
          { claim: 'department.name', values: ['legal', '7'], tools: ['sign'], methods: ['tasks/*'] },
          { groups: ['night'], who: "principal.claims.shift == 'late'", tools: ['wake'] },
          { everyone: true, methods: ['completion/complete', 'logging/setLevel'] },
        ],
      },
      '/files': { access: [{ groups: ['readers'], resources: ['file:///srv/public/**', 'note://*/open'] }] },
      '/bare': {},
    },
    {
      access: [
        { groups: ['root'], tools: ['*'], prompts: ['*'], resources: ['**'], methods: ['roots/*'] },
        { everyone: true, tools: ['hello'] },
      ],
    },
  )
})
afterAll(() => stage.close())

const hiddenTool = (name: string): Outcome => ({ hidden: [unknownTool(name)] })
const hiddenPrompt = (name: string): Outcome => ({ hidden: [unknownPrompt(name)] })
/** What is completed. */
const hiddenTemplate = (uri: string): Outcome => ({ hidden: [unknownResource(uri, -32602)] })
const hiddenResource = (uri: string): Outcome => ({ hidden: [unknownResource(uri)] })

const people = {
  stranger: { scope: 'tickets' },
  support: { scope: 'tickets', groups: ['support'] },
  admin: { scope: 'tickets', groups: ['x', 'admins'] },
  reader: { scope: 'tickets', groups: ['readers'] },
  root: { scope: 'all', groups: ['root'] },
  unscoped: { scope: 'other', groups: ['support'] },
  robot: { scope: 'tickets robot', client_id: 'nightly' },
  poorRobot: { scope: 'tickets', client_id: 'nightly' },
  otherRobot: { scope: 'tickets robot', client_id: 'daily' },
  employee: { scope: 'tickets', email: 'ann@example.com', email_verified: true },
  claimed: { scope: 'tickets', email: 'ann@example.com' },
  lookalike: { scope: 'tickets', email: 'ann@example.com.evil.test', email_verified: true },
  lawyer: { scope: 'tickets', department: { name: 'legal' } },
  seventh: { scope: 'tickets', department: { name: 7 } },
  flat: { scope: 'tickets', 'department.name': 'legal' },
  lateNight: { scope: 'tickets', groups: ['night'], shift: 'late' },
  earlyNight: { scope: 'tickets', groups: ['night'], shift: 'early' },
  odNight: { scope: 'tickets', groups: ['night'], shift: ['late'] },
  night: { scope: 'tickets', groups: ['night'] },
  lateDay: { scope: 'tickets', groups: ['day'], shift: 'late' },
  oneGroup: { scope: 'tickets', groups: 'support' },
  pathGroup: { scope: 'tickets', groups: ['/support'] },
  deepGroup: { scope: 'tickets', groups: ['/x/support'] },
  blankGroups: { scope: 'tickets', groups: 'x support' },
  commaGroups: { scope: 'tickets', groups: 'x,support' },
  upperGroup: { scope: 'tickets', groups: ['Support'] },
  nestedGroups: { scope: 'tickets', groups: [['support']] },
  objectGroups: { scope: 'tickets', groups: { support: true } },
  namedGroups: { scope: 'tickets', groups: [{ name: 'support' }] },
  numberGroups: { scope: 'tickets', groups: 7 },
  nullGroups: { scope: 'tickets', groups: null },
  starGroups: { scope: 'tickets', groups: ['*', 'support|', ''] },
  roles: { scope: 'tickets', roles: ['support'] },
  manyGroups: { scope: 'tickets', groups: [...Array.from({ length: 300 }, (_, index) => `g${index}`), 'support'] },
  protoGroups: { scope: 'tickets', ...JSON.parse('{"__proto__":{"groups":["support"]}}') },
} as const satisfies Record<string, object>

type Case = readonly [path: string, who: keyof typeof people, body: string, outcome: Outcome]

const check = async (path: string, who: keyof typeof people, body: string, outcome: Outcome): Promise<void> => {
  await stage.checkOutcome({ target: path, token: await stage.tokenFor(people[who]), body }, outcome)
}

describe('an entry of access opens what it names to those whom it fits', () => {
  it.each<Case>([
    ['/tickets', 'support', call('search_open'), 'served'],
    ['/tickets', 'support', call('search_'), 'served'],
    ['/tickets', 'support', call('refund', { amount: 1 }), 'served'],
    ['/tickets', 'admin', call('get_ticket'), 'served'],
    ['/tickets', 'support', call('export'), hiddenTool('export')],
    ['/tickets', 'support', call('research_x'), hiddenTool('research_x')],
    ['/tickets', 'support', call('Refund'), hiddenTool('Refund')],
    ['/tickets', 'support', call('refund '), hiddenTool('refund ')],
    ['/tickets', 'support', call('rеfund'), hiddenTool('rеfund')],
    ['/tickets', 'support', call('refund\u200b'), hiddenTool('refund\u200b')],
    ['/tickets', 'support', call('refund\0'), '400 params_invalid'],
    ['/tickets', 'support', call(''), hiddenTool('')],
    ['/tickets', 'support', call('*'), hiddenTool('*')],
    ['/tickets', 'support', call('__proto__'), hiddenTool('__proto__')],
    ['/tickets', 'stranger', call('refund'), hiddenTool('refund')],
    ['/tickets', 'stranger', call('nothing_like_that'), hiddenTool('nothing_like_that')],
    ['/tickets', 'support', getPrompt('greet'), hiddenPrompt('greet')],
    ['/tickets', 'support', read('ticket://1'), 'served'],
    ['/tickets', 'support', read('ticket://a/b/c'), 'served'],
    ['/tickets', 'support', read('other://1'), hiddenResource('other://1')],
    ['/tickets', 'stranger', read('ticket://1'), hiddenResource('ticket://1')],
    ['/tickets', 'support', ask('resources/subscribe', { uri: 'ticket://1' }), 'served'],
    ['/tickets', 'stranger', ask('resources/subscribe', { uri: 'ticket://1' }), hiddenResource('ticket://1')],
    ['/tickets', 'stranger', ask('resources/unsubscribe', { uri: 'ticket://1' }), hiddenResource('ticket://1')],
    ['/tickets', 'stranger', ask('resources/subscribe', {}), 'refused'],
    ['/tickets', 'robot', call('export'), 'served'],
    ['/tickets', 'poorRobot', call('export'), hiddenTool('export')],
    ['/tickets', 'otherRobot', call('export'), hiddenTool('export')],
    ['/tickets', 'robot', call('refund'), hiddenTool('refund')],
    ['/tickets', 'employee', getPrompt('greet'), 'served'],
    ['/tickets', 'claimed', getPrompt('greet'), hiddenPrompt('greet')],
    ['/tickets', 'lookalike', getPrompt('greet'), hiddenPrompt('greet')],
    ['/tickets', 'lawyer', call('sign'), 'served'],
    ['/tickets', 'seventh', call('sign'), 'served'],
    ['/tickets', 'flat', call('sign'), 'served'],
    ['/tickets', 'stranger', call('sign'), hiddenTool('sign')],
    ['/tickets', 'lateNight', call('wake'), 'served'],
    ['/tickets', 'earlyNight', call('wake'), hiddenTool('wake')],
    ['/tickets', 'odNight', call('wake'), hiddenTool('wake')],
    ['/tickets', 'night', call('wake'), hiddenTool('wake')],
    ['/tickets', 'lateDay', call('wake'), hiddenTool('wake')],
  ])('%s, %s: %s', check)
})

describe('entries at the top and of the server are one list', () => {
  it.each<Case>([
    ['/tickets', 'root', call('anything'), 'served'],
    ['/tickets', 'root', getPrompt('anything'), 'served'],
    ['/tickets', 'root', read('any://thing'), 'served'],
    ['/tickets', 'root', ask('roots/whatever'), 'served'],
    ['/tickets', 'stranger', call('hello'), 'served'],
    ['/tickets', 'support', call('hello'), 'served'],
    ['/bare', 'stranger', call('hello'), 'served'],
    ['/bare', 'stranger', call('other'), hiddenTool('other')],
    ['/bare', 'support', call('refund'), hiddenTool('refund')],
    ['/bare', 'root', call('refund'), 'served'],
    ['/files', 'reader', call('hello'), 'served'],
    ['/files', 'support', read('file:///srv/public/a'), hiddenResource('file:///srv/public/a')],
  ])('%s, %s: %s', check)
})

describe('what every client needs to begin, and other methods', () => {
  const initialize = ask('initialize', {
    protocolVersion: '2025-06-18',
    capabilities: {},
    clientInfo: { name: 'x', version: '1' },
  })
  it.each<Case>([
    ['/bare', 'stranger', initialize, 'served'],
    ['/bare', 'stranger', ask('ping'), 'served'],
    ['/bare', 'stranger', ask('server/discover'), 'served'],
    ['/bare', 'stranger', notify('notifications/initialized'), 'passed'],
    ['/bare', 'stranger', notify('notifications/cancelled', { requestId: 1 }), 'passed'],
    ['/bare', 'stranger', '{"jsonrpc":"2.0","id":3,"result":{}}', 'passed'],
    ['/bare', 'stranger', '{"jsonrpc":"2.0","id":3,"error":{"code":-1,"message":"no"}}', 'passed'],
    ['/bare', 'stranger', ask('logging/setLevel', { level: 'debug' }), 'refused'],
    ['/tickets', 'stranger', ask('logging/setLevel', { level: 'debug' }), 'served'],
    ['/bare', 'stranger', ask('tasks/list'), 'refused'],
    ['/bare', 'stranger', ask('tasks/result', { taskId: 'x' }), 'refused'],
    ['/tickets', 'lawyer', ask('tasks/get', { taskId: 'x' }), 'served'],
    ['/tickets', 'lawyer', ask('tasks'), 'refused'],
    ['/tickets', 'support', ask('tasks/get', { taskId: 'x' }), 'refused'],
    ['/bare', 'stranger', ask('notifications/initialized'), 'refused'],
    ['/bare', 'stranger', ask('Tools/call', { name: 'hello' }), '400 message_invalid'],
    ['/bare', 'stranger', ask('tools/call ', { name: 'hello' }), '400 message_invalid'],
    ['/bare', 'stranger', ask('constructor'), 'refused'],
    ['/bare', 'stranger', notify('tools/list'), 'passed'],
    ['/bare', 'stranger', notify('tools/call', { name: 'hello' }), 'passed'],
    ['/bare', 'stranger', notify('tools/call', { name: 'other' }), 'dropped'],
    ['/bare', 'stranger', notify('tools/callx', { name: 'hello' }), 'refused'],
    ['/bare', 'stranger', ask('tools/list'), 'served'],
    ['/bare', 'stranger', ask('prompts/list'), 'served'],
    ['/bare', 'stranger', ask('resources/list'), 'served'],
    ['/bare', 'stranger', ask('resources/templates/list'), 'served'],
    ['/bare', 'stranger', ask('subscriptions/listen', { notifications: {} }), 'served'],
    [
      '/bare',
      'stranger',
      ask('subscriptions/listen', { notifications: { resourceSubscriptions: ['a://b'] } }),
      hiddenResource('a://b'),
    ],
  ])('%s, %s: %s', check)
})

describe('base scopes apply besides', () => {
  it.each<Case>([
    ['/tickets', 'unscoped', call('refund'), 'needs tickets'],
    ['/tickets', 'unscoped', ask('tools/list'), 'needs tickets'],
    ['/tickets', 'unscoped', notify('notifications/initialized'), 'needs tickets'],
    ['/tickets', 'unscoped', call('export'), hiddenTool('export')],
    ['/tickets', 'unscoped', ask('tasks/list'), 'refused'],
  ])('%s, %s: %s', check)
})

describe('completions count as using what they are about', () => {
  it.each<Case>([
    ['/bare', 'stranger', completePrompt('greet'), hiddenPrompt('greet')],
    ['/tickets', 'stranger', completePrompt('greet'), 'served'],
    ['/bare', 'stranger', completeTemplate('ticket://{id}'), hiddenTemplate('ticket://{id}')],
    ['/files', 'reader', completeTemplate('file:///srv/public/{id}'), 'served'],
    ['/files', 'reader', completeTemplate('file:///srv/{id}'), hiddenTemplate('file:///srv/{id}')],
    [
      '/files',
      'reader',
      completeTemplate('file:///srv/public/{id}', 'id', '../secret'),
      hiddenTemplate('file:///srv/public/{id}'),
    ],
    ['/files', 'stranger', completeTemplate('file:///srv/public/{id}'), hiddenTemplate('file:///srv/public/{id}')],
    ['/bare', 'stranger', ask('completion/complete', { ref: { type: 'ref/tool', name: 'x' } }), '400 params_invalid'],
  ])('%s, %s: %s', check)
})

describe('a resource is open only where everything that its URI may mean is open', () => {
  it.each<Case>([
    ['/files', 'reader', read('file:///srv/public/a'), 'served'],
    ['/files', 'reader', read('note://x/open'), 'served'],
    ['/files', 'reader', read('note://x/y/open'), hiddenResource('note://x/y/open')],
    ...[
      'file:///srv/secret',
      'file:///srv/public/../secret',
      'file:///srv/public/%2e%2e/secret',
      'file:///srv/public/..%2fsecret',
      'file:///srv/public/%252e%252e/secret',
      'file:///srv/public\\..\\secret',
      'file:///srv/public/./../secret',
      'FILE:///srv/secret',
      'file:///SRV/public/a',
      'ftp:///srv/public/a',
      ' file:///srv/public/a',
    ].map((uri): Case => ['/files', 'reader', read(uri), hiddenResource(uri)]),
    ['/files', 'reader', read('file://evil.example/srv/public/a'), '403 resource_uri_ambiguous'],
    ['/files', 'reader', read('file:///srv/public/.\t./secret'), hiddenResource('file:///srv/public/.\t./secret')],
  ])('%s, %s: %s', check)
})

describe('groups are read from the one claim, each text as one name', () => {
  it.each<Case>([
    ['/tickets', 'oneGroup', call('refund'), 'served'],
    ['/tickets', 'pathGroup', call('refund'), 'served'],
    ['/tickets', 'manyGroups', call('refund'), 'served'],
    ...(
      [
        'deepGroup',
        'blankGroups',
        'commaGroups',
        'upperGroup',
        'nestedGroups',
        'objectGroups',
        'namedGroups',
        'numberGroups',
        'nullGroups',
        'starGroups',
        'roles',
        'protoGroups',
      ] as const
    ).map((who): Case => ['/tickets', who, call('refund'), hiddenTool('refund')]),
  ])('%s, %s: %s', check)
})
