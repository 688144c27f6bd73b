import { describe, expect, it } from 'vitest'
import {
  accessOf,
  callTool,
  createPolicyPlan,
  createPrincipal,
  decide,
  outcomeOf,
  request,
  shown,
} from '../../test/support/policies.ts'
import type { Operation } from '../core/operation.ts'
import type { PolicyPlan, RulePlan } from '../core/plan/policy-plan.ts'

const support = createPrincipal({ groups: ['support'] })
const stranger = createPrincipal()

const tickets = createPolicyPlan(
  accessOf(
    { groups: ['support', 'admins'], tools: ['search_*', 'refund'], resources: ['ticket://**'] },
    { who: "principal.client_id == 'nightly' && 'robot' in principal.scopes", tools: ['export'] },
    { claim: { claim: 'email_domain', values: ['example.com'] }, prompts: ['*'] },
    { methods: ['completion/complete', 'tasks/*'] },
  ),
)

const notification = (method: string): Operation => ({ ...request(method), kind: 'notification', id: undefined })
const completion = (targetKind: 'prompt' | 'resource', target: string): Operation => ({
  ...request('completion/complete', target),
  targetKind,
})

describe('access', () => {
  it.each([
    ['search_all', 'permit'],
    ['refund', 'permit'],
    ['export', 'target_hidden'],
    ['Refund', 'target_hidden'],
    ['no_such_tool', 'target_hidden'],
  ])('opens to a group the tools that its entry names: %s is %s', (tool, outcome) => {
    expect(outcomeOf(tickets, support, [callTool(tool)])).toBe(outcome)
  })

  it('opens nothing to those whom no entry fits', () => {
    for (const operation of [callTool('refund'), request('resources/read', 'ticket://1'), request('prompts/get', 'greet')])
      expect(outcomeOf(tickets, stranger, [operation])).toBe('target_hidden')
  })

  it.each(['read', 'subscribe', 'unsubscribe'])('opens resources/%s by `resources`', (verb) => {
    expect(outcomeOf(tickets, support, [request(`resources/${verb}`, 'ticket://1')])).toBe('permit')
    expect(outcomeOf(tickets, support, [request(`resources/${verb}`, 'other://1')])).toBe('target_hidden')
  })

  it('opens get and completion of prompts by `prompts`, to whom a claim fits', () => {
    const [entry] = tickets.access?.entries.filter(({ prompts }) => prompts.length > 0) ?? []
    const plan = createPolicyPlan(accessOf({ ...entry }))
    const user = createPrincipal({ claims: { email: 'a@example.com', email_verified: true } })
    expect(outcomeOf(plan, user, [request('prompts/get', 'greet')])).toBe('permit')
    expect(outcomeOf(plan, user, [completion('prompt', 'greet')])).toBe('permit')
    const unverified = createPrincipal({ claims: { email: 'a@example.com' } })
    expect(outcomeOf(plan, unverified, [request('prompts/get', 'greet')])).toBe('target_hidden')
  })

  it('fits by an expression about the principal, and not where that fails', () => {
    const nightly = createPrincipal({ clientId: 'nightly', scope: 'robot' })
    expect(outcomeOf(tickets, nightly, [callTool('export')])).toBe('permit')
    expect(outcomeOf(tickets, createPrincipal({ clientId: 'nightly' }), [callTool('export')])).toBe('target_hidden')
    expect(outcomeOf(tickets, createPrincipal({ clientId: undefined, scope: 'robot' }), [callTool('export')])).toBe(
      'target_hidden',
    )
  })

  it('needs all conditions of an entry to hold', () => {
    const plan = createPolicyPlan(
      accessOf({ groups: ['a'], claim: { claim: 'x', values: ['1'] }, who: "'s' in principal.scopes", tools: ['*'] }),
    )
    const all = { groups: ['a'], claims: { x: '1' }, scope: 's' }
    expect(outcomeOf(plan, createPrincipal(all), [callTool('t')])).toBe('permit')
    expect(outcomeOf(plan, createPrincipal({ ...all, groups: [] }), [callTool('t')])).toBe('target_hidden')
    expect(outcomeOf(plan, createPrincipal({ ...all, claims: {} }), [callTool('t')])).toBe('target_hidden')
    expect(outcomeOf(plan, createPrincipal({ ...all, scope: '' }), [callTool('t')])).toBe('target_hidden')
  })

  it('opens by each list only its own kind of target', () => {
    const uses = [callTool('x'), request('prompts/get', 'x'), request('resources/read', 'note://x')]
    const opened = (entry: object): readonly string[] => {
      const plan = createPolicyPlan(accessOf(entry))
      return uses.filter((use) => outcomeOf(plan, stranger, [use]) === 'permit').map(({ method }) => method)
    }
    expect(opened({ tools: ['*'] })).toEqual(['tools/call'])
    expect(opened({ prompts: ['*'] })).toEqual(['prompts/get'])
    expect(opened({ resources: ['**'] })).toEqual(['resources/read'])
    expect(opened({ methods: ['prompts/*'] })).toEqual(['prompts/get'])
  })

  it('leaves open what every client needs to begin, and lists', () => {
    const open = ['initialize', 'ping', 'server/discover', 'tools/list', 'prompts/list', 'resources/list']
    for (const method of [...open, 'resources/templates/list', 'subscriptions/listen'])
      expect(outcomeOf(tickets, stranger, [request(method)])).toBe('permit')
    expect(outcomeOf(tickets, stranger, [notification('notifications/initialized')])).toBe('permit')
    expect(outcomeOf(tickets, stranger, [{ ...request(''), kind: 'response' }])).toBe('permit')
    expect(outcomeOf(tickets, stranger, [])).toBe('permit')
  })

  it('refuses other methods openly unless an entry names them', () => {
    expect(outcomeOf(tickets, stranger, [request('logging/setLevel')])).toBe('policy_denied')
    expect(outcomeOf(tickets, stranger, [request('tasks/list')])).toBe('permit')
    expect(outcomeOf(tickets, stranger, [notification('tools/call')])).toBe('policy_denied')
    expect(outcomeOf(tickets, stranger, [request('initialize/x')])).toBe('policy_denied')
  })

  it('of resources in a subscription counts for each of them', () => {
    const listen = (target: string): Operation => ({ ...request('subscriptions/listen', target), targetKind: 'resource' })
    expect(outcomeOf(tickets, support, [listen('ticket://1'), listen('ticket://2')])).toBe('permit')
    expect(outcomeOf(tickets, support, [listen('ticket://1'), listen('other://2')])).toBe('target_hidden')
  })

  it('opens a resource only where everything that its URI may mean is open', () => {
    const plan = createPolicyPlan(accessOf({ resources: ['file:///srv/public/**'] }))
    expect(outcomeOf(plan, stranger, [request('resources/read', 'file:///srv/public/a')])).toBe('permit')
    for (const uri of ['file:///srv/public/../secret', 'file:///srv/public/%2e%2e/secret', 'file:///srv/public/..%2fsecret'])
      expect(outcomeOf(plan, stranger, [request('resources/read', uri)])).toBe('target_hidden')
  })

  it('opens the completion of a template only where everything that it may become is open', () => {
    const plan = createPolicyPlan(accessOf({ resources: ['ticket://eu/**'] }))
    expect(outcomeOf(plan, stranger, [completion('resource', 'ticket://eu/{id}')])).toBe('permit')
    expect(outcomeOf(plan, stranger, [completion('resource', 'ticket://{region}/{id}')])).toBe('target_hidden')
    expect(outcomeOf(plan, stranger, [completion('resource', 'ticket://e{rest}')])).toBe('target_hidden')
  })

  it('names each operation that it hides, and permits a batch only whole', () => {
    const hidden = [callTool('x'), callTool('y')]
    const decision = decide(tickets, support, [callTool('refund'), ...hidden, request('logging/setLevel')])
    expect(decision).toMatchObject({ effect: 'deny', code: 'target_hidden', hidden })
  })

  it('asks for scopes only where an entry opens the operation', () => {
    const plan = createPolicyPlan({
      ...accessOf({ groups: ['support'], tools: ['refund'] }),
      baseScopes: ['mcp'],
      rules: [{ tool: 'refund', scopes: ['money'] }],
    })
    expect(decide(plan, support, [callTool('refund')])).toMatchObject({ code: 'scope_insufficient', scopes: ['mcp', 'money'] })
    expect(decide(plan, stranger, [callTool('refund')])).toMatchObject({ code: 'target_hidden' })
    expect(decide(plan, stranger, [callTool('refund')])).not.toHaveProperty('scopes')
  })

  it('in shadow mode refuses nothing and says what it would', () => {
    const { access } = tickets
    const plan = createPolicyPlan(access && { access: { ...access, mode: 'shadow' } })
    expect(decide(plan, stranger, [callTool('refund')])).toEqual({
      effect: 'permit',
      wouldDeny: ['access: "tools/call" "refund": no access entry opens it'],
    })
    expect(decide(plan, support, [callTool('refund')])).toEqual({ effect: 'permit' })
    for (const free of [
      notification('notifications/initialized'),
      { ...request(''), kind: 'response' as const },
      request('ping'),
    ])
      expect(decide(plan, stranger, [free])).toEqual({ effect: 'permit' })
    expect(decide(plan, stranger, [request('resources/read', 'ticket://a\u0000')])).toMatchObject({
      effect: 'permit',
      wouldDeny: [expect.stringMatching(/control character/)],
    })
    expect(shown(plan, stranger, 'tool', ['refund'])).toEqual(['refund'])
  })
})

describe('lists under access', () => {
  it('show what the principal may use', () => {
    expect(shown(tickets, support, 'tool', ['search_a', 'export', 'refund'])).toEqual(['search_a', 'refund'])
    expect(shown(tickets, support, 'prompt', ['greet'])).toEqual([])
    expect(shown(tickets, support, 'resource', ['ticket://1', 'other://1'])).toEqual(['ticket://1'])
    expect(shown(tickets, stranger, 'tool', ['refund'])).toEqual([])
  })

  it('show a URI template where some of what it may become is open', () => {
    const plan = createPolicyPlan(accessOf({ resources: ['ticket://eu/**'] }))
    const templates = ['ticket://eu/{id}', 'ticket://{region}/{id}', 'ticket://us/{id}', 'other://{id}']
    expect(shown(plan, stranger, 'resource_template', templates)).toEqual(['ticket://eu/{id}', 'ticket://{region}/{id}'])
  })

  it('show what a method of the entry opens', () => {
    const plan = createPolicyPlan(accessOf({ methods: ['tools/*', 'resources/read'] }))
    expect(shown(plan, stranger, 'tool', ['a'])).toEqual(['a'])
    expect(shown(plan, stranger, 'prompt', ['a'])).toEqual([])
    expect(shown(plan, stranger, 'resource_template', ['x://{a}'])).toEqual(['x://{a}'])
  })

  it('show what only lacks scopes, unless step-up is not wanted there', () => {
    const plan = createPolicyPlan({ ...accessOf({ tools: ['*'] }), rules: [{ tool: 'a', scopes: ['s'] }] })
    expect(shown(plan, stranger, 'tool', ['a', 'b'])).toEqual(['a', 'b'])
    expect(shown({ ...plan, listStepUp: false }, stranger, 'tool', ['a', 'b'])).toEqual(['b'])
    expect(shown({ ...plan, listStepUp: false }, createPrincipal({ scope: 's' }), 'tool', ['a', 'b'])).toEqual(['a', 'b'])
  })

  it('pass as they are where scopes alone decide', () => {
    const plan = createPolicyPlan({ rules: [{ tool: 'a', scopes: ['s'] }], unlistedOperations: 'deny' })
    expect(shown(plan, stranger, 'tool', ['a', 'b'])).toEqual(['a', 'b'])
  })
})

const refunds = (rule: Partial<RulePlan>) => ({ rules: [{ scopes: [], ...rule, tool: 'refund' }] })

it.each<[string, string, Partial<PolicyPlan>, Operation]>([
  ['policy_denied', 'rule_denied', refunds({ deny: true }), callTool('refund')],
  ['target_hidden', 'rule_denied', refunds({ deny: true, onDeny: 'hide' }), callTool('refund')],
  ['policy_denied', 'require_failed', refunds({ require: "'finance' in principal.groups" }), callTool('refund')],
  ['policy_denied', 'require_failed', refunds({ require: 'args.a == 1' }), callTool('refund')],
  ['target_hidden', 'scope_missing', refunds({ scopes: ['x'], onDeny: 'hide' }), callTool('refund')],
  ['target_hidden', 'not_opened', accessOf({ tools: ['search'] }), callTool('refund')],
  ['policy_denied', 'not_opened', accessOf({ tools: ['search'] }), request('logging/setLevel')],
  ['policy_denied', 'not_listed', { unlistedOperations: 'deny' }, callTool('refund')],
])('a refusal is %s because of %s: %j', (code, ground, differences, operation) => {
  expect(decide(createPolicyPlan(differences), stranger, [operation])).toMatchObject({ effect: 'deny', code, ground })
})
