import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { someFacts } from '../../test/support/request-facts.ts'
import type { Decision } from '../core/decision.ts'
import type { Operation } from '../core/operation.ts'
import type { PolicyPlan, RulePlan } from '../core/plan/policy-plan.ts'
import type { Principal } from '../core/principal.ts'
import { createPolicy } from './policy.ts'

function createPlan(differences: Partial<PolicyPlan> = {}): PolicyPlan {
  return { baseScopes: ['mcp'], rules: [], hierarchy: {}, unlistedOperations: 'permit', ...differences }
}

function createPrincipal(...scopes: string[]): Principal {
  return {
    issuer: 'https://idp.example.com',
    subject: 'alice',
    clientId: 'c1',
    scopes: new Set(scopes),
    groups: [],
    assurance: 'audience',
    expiresAt: 0,
    acceptedUntil: 0,
    claims: {},
  }
}

const request = (method: string, target?: string): Operation => ({
  kind: 'request',
  method,
  targetKind: findKind(method, target),
  target,
  id: '1',
})

function findKind(method: string, target: string | undefined): Operation['targetKind'] {
  if (target === undefined) return undefined
  if (method.startsWith('resources/')) return 'resource'
  return method.startsWith('prompts/') ? 'prompt' : 'tool'
}

const callTool = (name: string) => request('tools/call', name)
const readResource = (uri: string) => request('resources/read', uri)
const notification = (method: string): Operation => ({ ...request(method), kind: 'notification', id: undefined })
const answer: Operation = { kind: 'response', method: '', targetKind: undefined, target: undefined, id: '1' }

function decide(plan: PolicyPlan, scopes: string[], operations: Operation[], path = '/mcp'): Decision {
  return createPolicy(plan).decide(createPrincipal(...scopes), { path, facts: someFacts, operations })
}

/** Which scopes a request needs: those that a principal without any is told. */
function needs(plan: PolicyPlan, operations: Operation[], path = '/mcp'): readonly string[] | 'permit' | 'policy' {
  const decision = decide(plan, [], operations, path)
  return decision.effect === 'permit' ? 'permit' : (decision.scopes ?? 'policy')
}

const rules = (...list: RulePlan[]): PolicyPlan => createPlan({ rules: list })

describe('base scopes', () => {
  it('are needed by every request, with or without operations', () => {
    const plan = createPlan({ baseScopes: ['b', 'a'] })
    for (const operations of [
      [],
      [callTool('echo')],
      [notification('notifications/initialized')],
      [answer],
      [request('initialize')],
    ]) {
      expect(needs(plan, operations)).toEqual(['a', 'b'])
      expect(decide(plan, ['a', 'b', 'c'], operations)).toEqual({ effect: 'permit' })
      expect(decide(plan, ['a'], operations).effect).toBe('deny')
    }
  })

  it('may be none', () => {
    expect(decide(createPlan({ baseScopes: [] }), [], [callTool('echo')])).toEqual({ effect: 'permit' })
  })
})

describe('a rule', () => {
  it('asks for its scopes besides the base scopes, and rules add up', () => {
    const plan = rules(
      { method: 'tools/call', scopes: ['call'] },
      { method: 'tools/*', scopes: ['tools'] },
      { tool: 'delete_*', scopes: ['delete'] },
      { tool: 'delete_user', scopes: ['users', 'delete'] },
      { path: '/mcp', scopes: ['path'] },
      { path: '/other', scopes: ['other'] },
    )
    expect(needs(plan, [callTool('delete_user')])).toEqual(['call', 'delete', 'mcp', 'path', 'tools', 'users'])
    expect(needs(plan, [callTool('echo')])).toEqual(['call', 'mcp', 'path', 'tools'])
    expect(needs(plan, [request('tools/list')])).toEqual(['mcp', 'path', 'tools'])
    expect(needs(plan, [request('prompts/list')])).toEqual(['mcp', 'path'])
    expect(needs(plan, [])).toEqual(['mcp', 'path'])
    expect(needs(plan, [answer])).toEqual(['mcp', 'path'])
    expect(needs(plan, [request('ping')], '/other')).toEqual(['mcp', 'other'])
    expect(needs(plan, [request('ping')], '/mcp/')).toEqual(['mcp'])
  })

  it('needs all of its conditions to hold', () => {
    const plan = rules({ path: '/mcp', method: 'tools/call', tool: 'echo', scopes: ['s'] })
    expect(needs(plan, [callTool('echo')])).toEqual(['mcp', 's'])
    expect(needs(plan, [callTool('other')])).toEqual(['mcp'])
    expect(needs(plan, [callTool('echo')], '/other')).toEqual(['mcp'])
    expect(needs(plan, [])).toEqual(['mcp'])
  })

  it('is about the method alone, whether an answer is wanted or not', () => {
    const plan = rules({ method: 'tools/call', scopes: ['s'] }, { tool: 'echo', scopes: ['t'] })
    expect(needs(plan, [{ ...callTool('echo'), kind: 'notification', id: undefined }])).toEqual(['mcp', 's', 't'])
  })

  it('about tools is about no prompt nor resource of that name', () => {
    const plan = rules({ tool: '*', scopes: ['t'] }, { prompt: 'x', scopes: ['p'] }, { resource: 'x', scopes: ['r'] })
    expect(needs(plan, [callTool('x')])).toEqual(['mcp', 't'])
    expect(needs(plan, [request('prompts/get', 'x')])).toEqual(['mcp', 'p'])
    expect(needs(plan, [readResource('x')])).toEqual(['mcp', 'r'])
    expect(needs(plan, [request('resources/subscribe', 'x')])).toEqual(['mcp', 'r'])
    expect(needs(plan, [request('tools/list')])).toEqual(['mcp'])
  })

  it('about a prompt covers what completes its arguments', () => {
    const plan = rules({ prompt: 'secret_*', scopes: ['p'] })
    const complete: Operation = { ...request('completion/complete', 'secret_plan'), targetKind: 'prompt' }
    expect(needs(plan, [complete])).toEqual(['mcp', 'p'])
    expect(needs(plan, [{ ...complete, targetKind: 'resource' }])).toEqual(['mcp'])
  })

  it('matches names letter by letter', () => {
    const plan = rules({ method: 'tools/call', scopes: ['s'] }, { tool: 'echo', scopes: ['t'] })
    for (const name of ['Echo', 'echo ', ' echo', 'echo\u0000', 'ech\u043e'])
      expect(needs(plan, [callTool(name)])).toEqual(['mcp', 's'])
  })

  it.each(['x/y', 'x/*'])('about the method %s restricts whatever a lenient reader takes for it, and nothing else', (method) => {
    const plan = rules({ method, scopes: ['s'] })
    for (const name of ['x/y', 'X/Y', 'x/y ', ' x/y', 'x\u2215y', 'x/\u0443', '\uff58/y', 'x/\u200by'])
      expect([name, needs(plan, [request(name)])]).toEqual([name, ['mcp', 's']])
    for (const name of ['x', 'xy', 'z/y', 'x-y', '__proto__', 'constructor'])
      expect([name, needs(plan, [request(name)])]).toEqual([name, ['mcp']])
  })

  it('lists a method letter by letter where what is not listed is denied', () => {
    const plan = createPlan({ baseScopes: [], rules: [{ method: 'x/y', scopes: [] }], unlistedOperations: 'deny' })
    const effectOf = (method: string) =>
      createPolicy(plan).decide(createPrincipal(), { path: '/', operations: [request(method)], facts: someFacts }).effect
    expect(['x/y', 'X/Y', 'x/y '].map(effectOf)).toEqual(['permit', 'deny', 'deny'])
  })
})

describe('a rule about resources', () => {
  const plan = rules({ resource: 'file:///secret/**', scopes: ['secret'] })

  it.each([
    ['file:///secret/x'],
    ['file:///secret/'],
    ['file:///public/../secret/x'],
    ['file:///public/%2e%2e/secret/x'],
    ['file:///public/%252e%252e/secret/x'],
    ['file:///public/..%2Fsecret%2Fx'],
    ['file:///%73ecret/x'],
    ['FILE:///secret/x'],
    ['file:/secret/x'],
    ['file:///secret/%2e%2e/x'],
    ['file:///secret/../public/x'],
    ['file:///secret\\x'],
    ['file:///secret/x?y'],
    ['file:///se\tcret/x'],
  ])('cannot be got around: %j', (uri) => {
    expect(needs(plan, [readResource(uri)])).toEqual(['mcp', 'secret'])
  })

  it.each([['file:///public/x'], ['file:///secrets/x'], ['file:///a/secret/x'], ['https://example.com/secret/x']])(
    'is not about %j',
    (uri) => {
      expect(needs(plan, [readResource(uri)])).toEqual(['mcp'])
    },
  )

  it('is about a URI with a query, though it names it without', () => {
    expect(needs(rules({ resource: 'file:///a', scopes: ['s'] }), [readResource('file:///a?b#c')])).toEqual(['mcp', 's'])
  })

  it('may be written with escapes', () => {
    const escaped = rules({ resource: 'file:///a%20b/*', scopes: ['s'] })
    for (const uri of ['file:///a%20b/c', 'file:///a b/c', 'file:///x/../a%20b/c'])
      expect(needs(escaped, [readResource(uri)])).toEqual(['mcp', 's'])
  })

  it.each([
    ['that is too long to be judged', `file:///public/${'x'.repeat(10_000)}`],
    ['with a control character', 'file:///public/%00'],
    ['that depends on a working directory', 'file:secret/x'],
  ])('leads to the refusal of a URI %s, whatever scopes there are', (_what, uri) => {
    expect(decide(plan, ['mcp', 'secret'], [readResource(uri)])).toEqual({
      effect: 'deny',
      code: 'resource_uri_ambiguous',
      reason: expect.stringContaining('"resources/read" "file:'),
    })
    expect(decide(rules({ tool: 'x', scopes: [] }), ['mcp'], [readResource(uri)])).toEqual({ effect: 'permit' })
  })

  it('asks for no less when the URI takes a detour', () => {
    const uri = fc
      .array(fc.constantFrom('secret', 'public', '..', '%2e%2e', '%252e.', '.', '', '%2f', '\\', 'x', '%73ecret'), {
        maxLength: 6,
      })
      .map((segments) => `file:///${segments.join('/')}`)
    fc.assert(
      fc.property(uri, (text) => {
        const needed = needs(plan, [readResource(text)]) as readonly string[]
        const decoded = decodeURIComponent(decodeURIComponent(text.replaceAll('%25', '%'))).replaceAll('\\', '/')
        const resolved = new URL(decoded).pathname.replaceAll(/\/{2,}/g, '/')
        if (text.startsWith('file:///secret/') || resolved.startsWith('/secret/')) expect(needed).toContain('secret')
      }),
      { numRuns: 2000 },
    )
  })
})

describe('the hierarchy', () => {
  const plan = createPlan({
    baseScopes: ['read'],
    rules: [{ method: 'tools/call', scopes: ['write'] }],
    hierarchy: { admin: ['read', 'write'], write: ['read'] },
  })

  it('lets a scope stand in for those that it implies, and for no others', () => {
    expect(decide(plan, ['admin'], [callTool('x')]).effect).toBe('permit')
    expect(decide(plan, ['write'], [callTool('x')]).effect).toBe('permit')
    expect(decide(plan, ['read'], [callTool('x')]).effect).toBe('deny')
    expect(decide(plan, ['read'], [request('ping')]).effect).toBe('permit')
  })

  it('is not what a client is told to ask for', () => {
    expect(needs(plan, [callTool('x')])).toEqual(['read', 'write'])
  })

  it('knows nothing that every object knows', () => {
    expect(decide(plan, ['constructor', '__proto__', 'toString'], [request('ping')]).effect).toBe('deny')
  })
})

describe('a batch', () => {
  const plan = rules({ tool: 'a', scopes: ['sa'] }, { tool: 'b', scopes: ['sb'] })

  it('is permitted only when each of its operations is, and is told all that it needs', () => {
    const batch = [callTool('b'), callTool('a'), answer, notification('notifications/progress')]
    expect(decide(plan, ['mcp', 'sa'], batch)).toMatchObject({ effect: 'deny', scopes: ['mcp', 'sa', 'sb'] })
    expect(decide(plan, ['mcp', 'sb'], batch)).toMatchObject({ effect: 'deny', scopes: ['mcp', 'sa', 'sb'] })
    expect(decide(plan, ['mcp', 'sa', 'sb'], batch).effect).toBe('permit')
  })
})

describe('a refusal', () => {
  it('says what was missing, to the operator', () => {
    const decision = decide(rules({ tool: 'a', scopes: ['x', 'y'] }), ['mcp', 'x'], [callTool('a')])
    expect(decision).toEqual({
      effect: 'deny',
      code: 'scope_insufficient',
      scopes: ['mcp', 'x', 'y'],
      missing: ['y'],
      reason: '"tools/call" "a": missing y',
    })
  })

  it('is the same whatever the principal has, in whatever order the rules stand', () => {
    const scope = fc.constantFrom('a', 'b', 'c', 'd')
    const rule = fc.record({ tool: fc.constantFrom('x', '*', 'x*'), scopes: fc.array(scope) })
    fc.assert(
      fc.property(fc.array(rule), fc.array(scope), (list, held) => {
        const forward = decide(rules(...list), held, [callTool('x')])
        const backward = decide(rules(...[...list].reverse()), [...held].reverse(), [callTool('x')])
        expect(forward).toEqual(backward)
        if (forward.effect === 'deny') expect(forward.scopes).toEqual(needs(rules(...list), [callTool('x')]))
      }),
    )
  })
})

describe('operations that no rule names', () => {
  const closed = (...list: RulePlan[]): PolicyPlan => createPlan({ baseScopes: [], rules: list, unlistedOperations: 'deny' })

  it('are permitted unless the configuration denies them', () => {
    expect(decide(rules({ tool: 'a', scopes: ['s'] }), ['mcp'], [callTool('b'), request('x/y')]).effect).toBe('permit')
  })

  it('are denied then, whatever scopes there are', () => {
    const plan = closed({ tool: 'a', scopes: ['s'] }, { path: '/mcp', scopes: [] })
    for (const operation of [
      callTool('b'),
      request('prompts/get', 'a'),
      readResource('a'),
      request('completion/complete'),
      request('logging/setLevel'),
      request('tasks/get'),
      request('sampling/createMessage'),
      request('subscriptions/listen'),
      request('prompts/list'),
      request('resources/list'),
      request('notifications/initialized'),
      notification('tools/call'),
      notification('something/else'),
      request(''),
      request('__proto__'),
    ]) {
      const decision = decide(plan, ['s'], [operation])
      expect(decision, operation.method).toMatchObject({ effect: 'deny', reason: expect.stringContaining('no rule names') })
      expect(decision).not.toHaveProperty('scopes')
    }
  })

  it('are denied for a batch with one of them', () => {
    expect(needs(closed({ tool: 'a', scopes: [] }), [callTool('a'), callTool('b')])).toBe('policy')
  })

  it('leave open what every client needs to begin', () => {
    const beginnings = [
      request('initialize'),
      request('ping'),
      request('server/discover'),
      notification('notifications/initialized'),
      notification('notifications/cancelled'),
      answer,
    ]
    for (const operation of beginnings) expect(needs(closed(), [operation])).toBe('permit')
    expect(needs(closed(), [])).toBe('permit')
  })

  it('leave open the lists of what rules name', () => {
    expect(needs(closed({ tool: 'a', scopes: [] }), [request('tools/list')])).toBe('permit')
    expect(needs(closed({ method: 'tools/call', scopes: [] }), [request('tools/list')])).toBe('permit')
    expect(needs(closed({ prompt: 'a', scopes: [] }), [request('prompts/list')])).toBe('permit')
    for (const method of ['resources/list', 'resources/templates/list']) {
      expect(needs(closed({ resource: 'a', scopes: [] }), [request(method)])).toBe('permit')
    }
    expect(needs(closed({ tool: 'a', scopes: [] }), [request('prompts/list')])).toBe('policy')
  })

  it('are those that no rule names on this path', () => {
    const plan = closed({ path: '/a', tool: 'x', scopes: [] })
    expect(needs(plan, [callTool('x')], '/a')).toBe('permit')
    expect(needs(plan, [callTool('x')], '/b')).toBe('policy')
  })

  it('include resources that only some spelling makes one that is named', () => {
    const plan = closed({ resource: 'file:///public/**', scopes: [] })
    expect(needs(plan, [readResource('file:///public/x')])).toBe('permit')
    expect(needs(plan, [readResource('file:///public/a%20b')])).toBe('permit')
    expect(needs(plan, [readResource('file:///public/./x?y')])).toBe('permit')
    for (const uri of [
      'file:///public/../secret/x',
      'file:///public/%2e%2e/secret',
      'file:///public/%252e%252e/secret',
      'file:///public\\..\\secret',
    ]) {
      expect(needs(plan, [readResource(uri)])).toBe('policy')
    }
    expect(needs(plan, [readResource(`file:///public/${'x'.repeat(10_000)}`)])).toBe('policy')
  })
})

describe('the scopes that a policy knows', () => {
  it('are those of its rules, its base and its hierarchy', () => {
    const plan = createPlan({ rules: [{ tool: 'a', scopes: ['x', 'mcp'] }], hierarchy: { admin: ['x', 'y'] } })
    expect([...createPolicy(plan).knownScopes].sort()).toEqual(['admin', 'mcp', 'x', 'y'])
  })
})

describe('a policy', () => {
  it('decides alike however often and about whatever else it was asked', () => {
    const plan = createPlan({
      rules: [
        { tool: 'a*', scopes: ['s'] },
        { prompt: 'a*', scopes: ['t'] },
      ],
    })
    const policy = createPolicy(plan)
    const name = fc.constantFrom('a', 'ab', 'b')
    const operation = fc.tuple(fc.constantFrom('tools/call', 'completion/complete'), fc.constantFrom('tool', 'prompt'), name)
    fc.assert(
      fc.property(operation, ([method, targetKind, target]) => {
        const asked = { ...request(method, target), targetKind: targetKind as 'tool' | 'prompt' }
        const question = { path: '/mcp', facts: someFacts, operations: [asked] }
        expect(policy.decide(createPrincipal(), question)).toEqual(createPolicy(plan).decide(createPrincipal(), question))
      }),
    )
  })

  it('forgets what it was asked about before that takes much memory', () => {
    const policy = createPolicy(rules({ tool: 'a*', scopes: ['s'] }))
    for (let count = 0; count < 10_000; count++)
      policy.decide(createPrincipal('mcp'), { path: '/mcp', facts: someFacts, operations: [callTool(`x${count}`)] })
    expect(policy.decide(createPrincipal('mcp'), { path: '/mcp', facts: someFacts, operations: [callTool('a1')] }).effect).toBe(
      'deny',
    )
    expect(policy.decide(createPrincipal('mcp'), { path: '/mcp', facts: someFacts, operations: [callTool('x1')] }).effect).toBe(
      'permit',
    )
  })

  it('hands out one and the same permit', () => {
    const policy = createPolicy(createPlan())
    const ask = () => policy.decide(createPrincipal('mcp'), { path: '/mcp', facts: someFacts, operations: [callTool('x')] })
    expect(ask()).toBe(ask())
    expect(Object.isFrozen(ask())).toBe(true)
  })
})
