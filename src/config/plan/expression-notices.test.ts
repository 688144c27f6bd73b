import { expect, it } from 'vitest'
import { loadConfigValue } from '../load.ts'

function noticesOf(server: object): readonly string[] {
  const config = {
    issuers: ['https://idp.example.com'],
    session_key: { env: 'KEY' },
    servers: [{ path: '/mcp', upstream: 'http://localhost:8000/mcp', ...server }],
  }
  const env = { KEY: Buffer.alloc(32, 'key of tests').toString('base64') }
  return loadConfigValue(config as never, { env, directory: '.', terminal: false }).plan.notices
}

const ofRule = (require: string) => noticesOf({ rules: [{ tool: 'x', require }] })
const ofEntry = (who: string) => noticesOf({ access: [{ who, tools: ['x'] }] })

it('an expression that says something else than it seems to is told at each start, with where it is', () => {
  expect(ofRule("args.path.startsWith('/srv/public/')")).toEqual([expect.stringMatching(/^server mcp: require of a rule: /)])
  expect(ofEntry("'team-*' in principal.groups")).toEqual([expect.stringMatching(/^server mcp: who of an access entry: /)])
  expect(ofRule("args.path == '/srv/public/a'")).toEqual([])
})

it('an address that need not be verified is told, wherever it is looked at', () => {
  const told = [expect.stringMatching(/principal\.claims\.email_verified == true/)]
  expect(ofEntry("principal.claims.email == 'ann@example.com'")).toEqual(told)
  expect(ofEntry("principal.claims['email'].endsWith('@example.com')")).toEqual(told)
  expect(ofRule('args.owner == principal.claims.email')).toEqual(told)
  expect(ofEntry("principal.claims.email == 'a@example.com' && principal.claims.email_verified == true")).toEqual([])
  expect(ofEntry("principal.claims.email_domain == 'example.com'")).toEqual([])
  expect(ofRule("args.email == 'a@example.com'")).toEqual([])
})

it.each(["principal.claims.scope.contains('mcp:write')", "principal.claims['scp'] == 'mcp:write'"])(
  'scopes that are looked for in the text of all scopes are told: %s',
  (expression) => {
    const told = [expect.stringMatching(/in one text.*'read' in principal\.scopes/)]
    expect(ofEntry(expression)).toEqual(told)
    expect(ofRule(expression)).toEqual(told)
    expect(noticesOf({ access: [{ claim: 'scope', values: ['mcp:write'], tools: ['x'] }] })).toEqual(told)
  },
)

it('tells of entries at the top as well', () => {
  const access = [{ who: "principal.claims.email == 'ann@example.com'", tools: ['x'] }]
  const config = { issuers: ['https://idp.example.com'], access, servers: [{ path: '/mcp', upstream: { command: ['node'] } }] }
  const { plan } = loadConfigValue(config as never, { env: {}, directory: '.', terminal: false })
  expect(plan.notices).toEqual([expect.stringMatching(/^access: who of an access entry: .*email_verified/)])
})

it('groups, claims and subjects of several issuers are told, unless the issuer is named', () => {
  const issuers = ['https://idp.example.com', 'https://partner.example.com']
  const told = [expect.stringMatching(/^server mcp: accepts tokens of 2 issuers.*principal\.issuer ==/)]
  const mixed = { issuers, access: [{ groups: ['admins'], tools: ['x'] }] }
  expect(noticesOf(mixed)).toEqual(told)
  expect(noticesOf({ issuers, access: [{ who: "principal.subject == 'alice'", tools: ['x'] }] })).toEqual(told)
  expect(noticesOf({ issuers, rules: [{ tool: 'x', require: "'a' in principal.groups" }] })).toEqual(told)
  expect(noticesOf({ ...mixed, issuers: issuers.slice(1) })).toEqual([])
  const who = "principal.issuer == 'https://idp.example.com'"
  expect(noticesOf({ issuers, access: [{ groups: ['admins'], who, tools: ['x'] }] })).toEqual([])
  expect(noticesOf({ issuers, access: [{ who: `${who} && principal.subject == 'alice'`, tools: ['x'] }] })).toEqual([])
  expect(noticesOf({ issuers, rules: [{ tool: 'x', require: "args.a == 'a' && 's' in principal.scopes" }] })).toEqual([])
})
