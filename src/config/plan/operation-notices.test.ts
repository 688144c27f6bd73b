import { expect, it } from 'vitest'
import { loadConfigValue } from '../load.ts'
import type { ConfigInput } from '../schema/schema.ts'

type Server = ConfigInput['servers'][number]

function noticesOf(server: Pick<Server, 'access' | 'access_mode' | 'rules'>, access?: ConfigInput['access']): readonly string[] {
  const config: ConfigInput = {
    issuers: ['https://idp.example.com'],
    session_key: { env: 'KEY' },
    ...(access && { access }),
    servers: [{ path: '/mcp', upstream: 'http://localhost:8000/mcp', ...server }],
  }
  const env = { KEY: Buffer.alloc(32, 'key of tests').toString('base64') }
  return loadConfigValue(config, { env, directory: '.', terminal: false }).plan.notices
}

it('a method that MCP does not have is told, in rules and in access entries, since it opens and protects nothing', () => {
  const meant = (where: string) => expect.stringMatching(`"tools/cal" ${where}\\. Was tools/call meant\\?$`)
  expect(noticesOf({ rules: [{ method: 'tools/cal', deny: true }] })).toEqual([meant('of a rule')])
  expect(noticesOf({ access: [{ everyone: true, methods: ['tools/cal'] }] })).toEqual([meant('of an access entry')])
  expect(noticesOf({}, [{ everyone: true, methods: ['tools/cal'] }])).toEqual([
    expect.stringMatching(/^access: no revision of MCP has the method "tools\/cal"/),
  ])
})

it.each([
  ...['delete_(user|group)', '^get_', 'get_.+', 'refund, export', 'get x', 'get_[a-z]', '{a,b}', 'get?x'],
  ...['get_.*', '.*', '/get_.*/', 'get_%', '"get"', 'a;b', 'a>b', '-get?'],
])('a tool that looks like a regular expression or a list is told, since no server has one of that name: %s', (tool) => {
  const told = expect.stringMatching(/^server mcp: the tool ".+" of .+ is compared letter by letter, but for `\*`/)
  expect(noticesOf({ rules: [{ tool, deny: true }] })).toEqual([told])
  expect(noticesOf({ access: [{ everyone: true, tools: [tool] }] })).toEqual([told])
})

it.each(['*', 'get_*', 'admin.*', 'files/read-all', 'Get_x.2', 'größe'])('says nothing of an ordinary name: %s', (tool) => {
  expect(noticesOf({ access: [{ everyone: true, tools: [tool], methods: ['tasks/*'] }], rules: [{ tool, deny: true }] })).toEqual(
    [],
  )
})

it.each(['get_(a|b)', '^get_', 'get_.*', 'a|b', '[abc]'])('so is a prompt that looks like a regular expression: %s', (prompt) => {
  const told = expect.stringMatching(/^server mcp: the prompt ".+" of .+ is compared letter by letter, but for `\*`/)
  expect(noticesOf({ rules: [{ prompt, deny: true }] })).toEqual([told])
  expect(noticesOf({ access: [{ everyone: true, prompts: [prompt] }] })).toEqual([told])
})

it.each(['Weekly report', 'Ask, then answer', '*', 'admin.*', 'what now?'])('but not one that people may read: %s', (prompt) => {
  expect(noticesOf({ access: [{ everyone: true, prompts: [prompt] }] })).toEqual([])
})

it.each<[string, RegExp]>([
  ['file:///srv/.*', /is no regular expression/],
  ['^file:///srv/(a|b)$', /is no regular expression/],
  ['file:///srv/a|b', /is no regular expression/],
  ['secret/**', /has no scheme.*Write \*\*\/secret\/\*\*/],
])('a resource that no URI is, as it is written, is told: %s', (resource, told) => {
  expect(noticesOf({ rules: [{ resource, deny: true }] })).toEqual([expect.stringMatching(told)])
  expect(noticesOf({ access: [{ everyone: true, resources: [resource] }] })).toEqual([expect.stringMatching(told)])
})

it.each<[string, RegExp]>([
  ['file:///srv/secret/*', /not about what is deeper.*Write file:\/\/\/srv\/secret\/\*\*/],
  ['secret://*', /not about what is deeper.*Write secret:\/\/\*\*/],
  ['file:///srv/secret/', /about the folder itself.*Write file:\/\/\/srv\/secret\/\*\*/],
])('a rule about a resource that protects less than it seems to is told: %s', (resource, told) => {
  expect(noticesOf({ rules: [{ resource, deny: true }] })).toEqual([expect.stringMatching(told)])
  expect(noticesOf({ rules: [{ resource, require: "'a' in principal.scopes" }] })).toEqual([expect.stringMatching(told)])
})

it('but not where another rule is about what is deeper, nor an entry, which opens no more than it says', () => {
  const deeper = { resource: 'file:///srv/secret/**', scopes: ['s'] }
  expect(noticesOf({ rules: [{ resource: 'file:///srv/secret/*', deny: true }, deeper] })).toEqual([])
  expect(noticesOf({ access: [{ everyone: true, resources: ['file:///srv/*', 'file:///srv/'] }] })).toEqual([])
  expect(noticesOf({ rules: [{ resource: 'file:///srv/*', scopes: [] }] })).toEqual([])
})

it.each([
  'file:///srv/**',
  'note://x',
  'db://*/x',
  'https://example.com/a?b=(c)',
  'x:a+b',
  '**',
  '**/.env',
  '/srv/**',
  '*:///x/**',
])('says nothing of an ordinary resource: %s', (resource) => {
  expect(noticesOf({ rules: [{ resource, deny: true }], access: [{ everyone: true, resources: [resource] }] })).toEqual([])
})

it('access that is only tried is told at each start', () => {
  const told = [expect.stringMatching(/^server mcp: access_mode: shadow only logs.*nothing is refused/)]
  const access = [{ everyone: true as const, tools: ['x'] }]
  expect(noticesOf({ access, access_mode: 'shadow' })).toEqual(told)
  expect(noticesOf({ access_mode: 'shadow' }, access)).toEqual(told)
  expect(noticesOf({ access, access_mode: 'enforce' })).toEqual([])
})

it.each<[object, RegExp]>([
  [{ groups: ['team-*'] }, /^server mcp: the group "team-\*" of an access entry is compared letter by letter/],
  [{ groups: ['*'] }, /everyone: true/],
  [{ claim: 'department', values: ['*'] }, /the value "\*" of an access entry is compared letter by letter/],
  [{ claim: 'email_domain', values: ['*.example.com'] }, /the value "\*\.example\.com"/],
  [{ claim: 'email_domain', values: ['@example.com'] }, /no email_domain begins with @.* Write example\.com\.$/],
  [{ claim: 'principal.claims.department', values: ['hr'] }, /named as in the token\. Was department meant\?$/],
])('an entry that fits no caller, as it is written, is told: %j', (condition, told) => {
  expect(noticesOf({ access: [{ ...condition, tools: ['x'] }] })).toEqual([expect.stringMatching(told)])
})

it('says nothing of groups and claims as tokens have them', () => {
  const entry = { groups: ['Finance, Legal', 'a/b'], claim: 'https://example.com/principal.x', values: ['@me'], tools: ['x'] }
  expect(noticesOf({ access: [entry, { claim: 'email_domain', values: ['example.com'], tools: ['x'] }] })).toEqual([])
})
