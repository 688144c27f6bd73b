import { describe, expect, it } from 'vitest'
import { loadConfigValue } from '../load.ts'
import { ConfigError } from '../problem/problem.ts'

const load = (server: object, top: object = {}) =>
  loadConfigValue(
    {
      issuers: ['https://idp.example.com'],
      servers: [{ path: '/mcp', upstream: 'http://localhost:8000/mcp', ...server }],
      ...top,
    } as never,
    { env: {}, directory: '/', terminal: false },
  )

/** Places of all mistakes, each with its reason. */
function mistakesOf(server: object, top: object = {}): readonly (readonly [string, string])[] {
  try {
    load(server, top)
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.problems.map(({ path, reason }) => [path, reason] as const)
  }
}

const entry = { everyone: true, tools: ['*'] }

describe('an entry of `access`', () => {
  it.each<[string, object, string, RegExp]>([
    ['without a condition', { tools: ['x'] }, '', /says nothing of who/],
    ['without an operation', { groups: ['a'] }, '', /opens nothing/],
    ['for everyone and for some', { everyone: true, groups: ['a'], tools: ['x'] }, '.everyone', /for everyone and for some/],
    ['with a claim without values', { claim: 'x', tools: ['x'] }, '', /belong together/],
    ['with values without a claim', { everyone: true, values: ['x'], tools: ['x'] }, '', /belong together/],
    ['for everyone in the words of YAML 1.1', { everyone: 'yes', tools: ['x'] }, '.everyone', /^is "yes", and can only be true$/],
    ['that is for not everyone', { everyone: false, tools: ['x'] }, '.everyone', /true/],
    ['with an empty list', { groups: [], tools: ['x'] }, '.groups', /./],
    ['with a tool that has white space around it', { everyone: true, tools: ['x', ' y'] }, '.tools[1]', /white space/],
    ['with a method in the wrong case', { everyone: true, methods: ['Tools/Call'] }, '.methods[0]', /case counts/],
    ['with a relative resource', { everyone: true, resources: ['file:a'] }, '.resources[0]', /./],
    ['with an expression that is none', { who: 'principal.', tools: ['x'] }, '.who', /character/],
    ['with an expression about a name that is not there', { who: 'user.name == 1', tools: ['x'] }, '.who', /there is no user/],
    ['with an expression that does not come to true or false', { who: 'principal.subject', tools: ['x'] }, '.who', /./],
    ['with an expression about arguments', { who: 'args.x == 1', tools: ['x'] }, '.who', /args/],
    [
      'with an expression about a server that there is not',
      { who: "server == 'mpc'", tools: ['x'] },
      '.who',
      /`server` is "mcp"/,
    ],
    [
      'with an expression about a path that there is not',
      { who: "request.path == '/mpc'", tools: ['x'] },
      '.who',
      /`request.path` is "\/mcp"/,
    ],
    ['with an expression about the operation', { who: "operation.method == 'x'", tools: ['x'] }, '.who', /operation/],
  ])('%s is a mistake, here and at the top', (_what, mistaken, place, reason) => {
    expect(mistakesOf({ access: [entry, mistaken] })).toContainEqual([
      `servers[0].access[1]${place}`,
      expect.stringMatching(reason),
    ])
    expect(mistakesOf({}, { access: [entry, mistaken] })).toContainEqual([`access[1]${place}`, expect.stringMatching(reason)])
  })

  it('is part of one list with those at the top', () => {
    const { plan } = load({ access: [{ groups: ['a'], tools: ['x'] }] }, { access: [entry] })
    const [server] = plan.servers
    expect(server?.policy.access).toEqual({
      mode: 'enforce',
      entries: [
        { label: 'servers[0].access[0]', groups: ['a'], tools: ['x'], prompts: [], resources: [], methods: [] },
        { label: 'access[0]', tools: ['*'], prompts: [], resources: [], methods: [] },
      ],
    })
  })

  it('is tried in shadow mode by a server, or by all', () => {
    expect(load({ access: [entry], access_mode: 'shadow' }).plan.servers[0]?.policy.access?.mode).toBe('shadow')
    expect(load({ access: [entry] }, { access_mode: 'shadow', access: [entry] }).plan.servers[0]?.policy.access?.mode).toBe(
      'shadow',
    )
    const back = load({ access_mode: 'enforce' }, { access_mode: 'shadow', access: [entry] })
    expect(back.plan.servers[0]?.policy.access?.mode).toBe('enforce')
    expect(mistakesOf({ access_mode: 'shadow' })).toEqual([['servers[0].access_mode', expect.stringMatching(/no `access`/)]])
  })

  it('does not stand beside `unlisted_operations`, unless it is only tried', () => {
    const server = { access: [entry], unlisted_operations: 'deny' }
    expect(mistakesOf(server)).toEqual([['servers[0].unlisted_operations', expect.stringMatching(/already/)]])
    expect(mistakesOf({ unlisted_operations: 'permit' }, { access: [entry] })).toHaveLength(1)
    expect(mistakesOf({ ...server, access_mode: 'shadow' })).toEqual([])
  })

  it('does not stand beside a way around it', () => {
    const around = { sse: { path: '/sse', messages_path: '/messages' }, legacy_clients: 'signature_only' }
    expect(mistakesOf({ ...around, access: [entry] })).toContainEqual([
      'servers[0].legacy_clients',
      expect.stringMatching(/past `access`/),
    ])
    expect(mistakesOf({ ...around, rules: [{ tool: 'x', deny: true }] })).toContainEqual([
      'servers[0].legacy_clients',
      expect.stringMatching(/past a rule with "deny"/),
    ])
    expect(mistakesOf({ ...around, rules: [{ tool: 'x', scopes: ['s'], on_deny: 'hide' }] })).toContainEqual([
      'servers[0].legacy_clients',
      expect.stringMatching(/past a rule that hides/),
    ])
    const places = mistakesOf({ ...around, rules: [{ tool: 'x', scopes: ['s'] }] }).map(([place]) => place)
    expect(places).not.toContain('servers[0].legacy_clients')
  })
})

describe('a rule', () => {
  it.each<[string, object, string, RegExp]>([
    ['that asks for nothing', { tool: 'x' }, '', /asks for nothing/],
    ['that does not deny', { tool: 'x', deny: false }, '.deny', /^is false, and can only be true$/],
    ['that denies and asks for scopes', { tool: 'x', deny: true, scopes: ['s'] }, '.deny', /whatever "scopes" says/],
    [
      'that denies and asks for more',
      { tool: 'x', deny: true, require: "'a' in principal.groups" },
      '.deny',
      /whatever "require"/,
    ],
    ['that hides a path', { path: '/mcp', deny: true, on_deny: 'hide' }, '.on_deny', /cannot be hidden/],
    ['whose reason is never shown', { tool: 'x', scopes: ['s'], reason: 'No.' }, '.reason', /is never shown/],
    ['whose expression is none', { tool: 'x', require: 'args.' }, '.require', /character/],
    ['that never holds', { tool: 'x', require: '1 > 2' }, '.require', /./],
    ['about arguments of a resource', { resource: 'note://x', require: 'args.x == 1' }, '.require', /no uses of resources/],
    ['about arguments of methods without any', { method: 'tools/*', require: 'args.x == 1' }, '.require', /not all calls/],
    [
      'about the operations of a path',
      { path: '/mcp', require: "operation.method == 'ping'" },
      '.require',
      /without an operation/,
    ],
    [
      'about a method that its calls never have',
      { tool: 'x', require: "operation.method == 'tools/list'" },
      '.require',
      /no call/,
    ],
    [
      'about a path that there is not',
      { tool: 'x', require: "request.path == '/mcp/'" },
      '.require',
      /`request.path` is "\/mcp"/,
    ],
    ['about a kind that its calls never have', { tool: 'x', require: "operation.kind == 'resource'" }, '.require', /is "tool"/],
    ['about a name that its calls never have', { prompt: 'x', require: "operation.target == 'y'" }, '.require', /is "x"/],
    ['about a target that its calls lack', { method: 'ping', require: "operation.kind == 'tool'" }, '.require', /is missing/],
    ['about a server that there is not', { tool: 'x', require: "server == '/mcp' && args.x == 1" }, '.require', /is "mcp"/],
    ['about arguments on a path', { path: '/mcp', require: 'args.x == 1' }, '.require', /without an operation/],
  ])('%s is a mistake', (_what, rule, place, reason) => {
    expect(mistakesOf({ rules: [rule] })).toEqual([[`servers[0].rules[0]${place}`, expect.stringMatching(reason)]])
  })

  it.each<[object]>([
    [{ tool: 'x', require: 'args.x == 1' }],
    [{ prompt: 'x', require: "args.x == '1'" }],
    [{ method: 'tools/call', require: 'args.x == 1' }],
    [{ method: 'tools/*', require: "operation.method != 'tools/call' || 'a' in principal.groups" }],
    [{ path: '/mcp', require: "'a' in principal.groups" }],
    [{ tool: 'x_*', require: "operation.target == 'x_y' && operation.kind == 'tool' && server == 'mcp'" }],
    [{ prompt: 'x', require: "operation.method == 'prompts/get' && operation.target == 'x'" }],
    [{ resource: 'note://x', require: "operation.method == 'resources/read' && operation.target == 'note://x'" }],
    [{ method: 'completion/complete', require: "operation.kind == 'prompt'" }],
    [{ method: 'tools/call', require: "operation.kind == 'tool' && operation.target == 'x'" }],
    [{ tool: 'x', scopes: [] }],
    [{ tool: 'x', deny: true, on_deny: 'hide', mode: 'shadow' }],
  ])('is what it says: %j', (rule) => {
    expect(mistakesOf({ rules: [rule] })).toEqual([])
  })

  it('may be about another server, since rules can be shared', () => {
    const rule = { tool: 'x', require: "server == 'other'" }
    const other = { path: '/other', upstream: 'http://localhost:8001/mcp' }
    const servers = [{ path: '/mcp', upstream: 'http://localhost:8000/mcp', rules: [rule] }, other]
    expect(mistakesOf({}, { servers })).toEqual([])
  })

  it('that is only tried is nothing that clients are told to ask for', () => {
    const { plan } = load({ rules: [{ tool: 'x', scopes: ['s'], mode: 'shadow' }] })
    expect(plan.servers[0]?.scopesSupported).toEqual([])
  })
})
