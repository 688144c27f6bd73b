import { describe, expect, it } from 'vitest'
import { accessOf, createPolicyPlan, createPrincipal, outcomeOf, request, shown } from '../../test/support/policies.ts'

const caller = createPrincipal()

describe('a list leaves out', () => {
  it('what a rule about the method of its use denies', () => {
    const plan = (method: string) => createPolicyPlan({ rules: [{ method, scopes: [], deny: true }] })
    expect(shown(plan('tools/call'), caller, 'tool', ['a'])).toEqual([])
    expect(shown(plan('prompts/get'), caller, 'prompt', ['a'])).toEqual([])
    expect(shown(plan('resources/read'), caller, 'resource', ['x://a'])).toEqual([])
    expect(shown(plan('resources/read'), caller, 'resource_template', ['x://{a}'])).toEqual([])
    for (const kind of ['tool', 'prompt', 'resource'] as const)
      expect(shown(plan('logging/setLevel'), caller, kind, ['x://a'])).toEqual(['x://a'])
  })

  it('what a rule about one kind denies, and nothing of the other kinds', () => {
    const plan = createPolicyPlan({ rules: [{ prompt: 'a', scopes: [], deny: true }] })
    expect(shown(plan, caller, 'prompt', ['a', 'b'])).toEqual(['b'])
    expect(shown(plan, caller, 'tool', ['a', 'b'])).toEqual(['a', 'b'])
  })

  it('resources whose URIs are refused to everyone', () => {
    const plan = createPolicyPlan({ rules: [{ resource: 'file:///srv/**', scopes: [], deny: true }] })
    const uris = ['file:///etc/x', 'file://other.example/x', 'relative/path']
    expect(shown(plan, caller, 'resource', uris)).toEqual(['file:///etc/x'])
  })

  it('what no rule names where only that is open', () => {
    const rules = [
      { tool: 'a', scopes: [] },
      { tool: 'b', scopes: [], require: 'args.x == 1' },
    ]
    const plan = createPolicyPlan({ unlistedOperations: 'deny', rules })
    expect(shown(plan, caller, 'tool', ['a', 'b', 'c'])).toEqual(['a', 'b'])
  })

  it('what is left when comparing has cost too much', () => {
    const rules = Array.from({ length: 40 }, (_, index) => ({ resource: `**/*a*${index}`, scopes: [], deny: true as const }))
    const uris = Array.from({ length: 1000 }, (_, index) => `note://x/a+b%20c;d/..%2f${'a/'.repeat(15)}b${index}x`)
    const seen = shown(createPolicyPlan({ rules }), caller, 'resource', [...uris, 'note://last'])
    expect(seen).not.toContain('note://last')
  })

  it('what stands behind an item whose URI can be read in hundreds of ways, and that item', () => {
    const plan = createPolicyPlan(accessOf({ resources: ['**'] }))
    const odd = 'jar:file:///b+c/x;y/%61'
    expect(shown(plan, caller, 'resource', ['note://a', odd, 'note://b'])).toEqual(['note://a'])
    expect(shown(plan, caller, 'resource', ['note://b'])).toEqual(['note://b'])
    expect(outcomeOf(plan, caller, [request('resources/read', odd)])).toBe('resource_uri_ambiguous')
  })

  it('templates of which no entry opens anything, whatever else is open', () => {
    const plan = createPolicyPlan(accessOf({ resources: ['a://**', 'b://**'], methods: ['tools/call'] }))
    expect(shown(plan, caller, 'resource_template', ['a://{x}', 'b://{x}', 'c://{x}'])).toEqual(['a://{x}', 'b://{x}'])
  })
})
