import { expect, it } from 'vitest'
import { loadConfigValue } from '../load.ts'
import type { ConfigInput } from '../schema/schema.ts'

type Server = ConfigInput['servers'][number]

function noticesOf(server: Pick<Server, 'access' | 'rules'>, access?: ConfigInput['access']): readonly string[] {
  const config: ConfigInput = {
    issuers: ['https://idp.example.com'],
    session_key: { env: 'KEY' },
    ...(access && { access }),
    servers: [{ path: '/mcp', upstream: 'http://localhost:8000/mcp', ...server }],
  }
  const env = { KEY: Buffer.alloc(32, 7).toString('base64') }
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

it.each(['delete_(user|group)', '^get_', 'get_.+', 'refund, export', 'get x', 'get_[a-z]', '{a,b}', 'get?x'])(
  'a tool that looks like a regular expression or a list is told, since no server has one of that name: %s',
  (tool) => {
    const told = expect.stringMatching(/^server mcp: the tool ".+" of .+ is compared letter by letter, but for `\*`/)
    expect(noticesOf({ rules: [{ tool, deny: true }] })).toEqual([told])
    expect(noticesOf({ access: [{ everyone: true, tools: [tool] }] })).toEqual([told])
  },
)

it.each(['*', 'get_*', 'admin.*', 'files/read-all', 'Get_x.2', 'größe'])('says nothing of an ordinary name: %s', (tool) => {
  expect(noticesOf({ access: [{ everyone: true, tools: [tool], methods: ['tasks/*'] }], rules: [{ tool, deny: true }] })).toEqual(
    [],
  )
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
