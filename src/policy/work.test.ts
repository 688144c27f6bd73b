import { describe, expect, it } from 'vitest'
import { createPolicyPlan, createPrincipal, request } from '../../test/support/policies.ts'
import { someFacts } from '../../test/support/request-facts.ts'
import { compileNamePattern } from '../core/name-pattern.ts'
import type { Operation } from '../core/operation.ts'
import { ANSWER } from './applicable.ts'
import { createApplicableMemory } from './applicable-memory.ts'
import { createPolicy } from './policy.ts'
import { listNamedParts } from './target/resource-pattern.ts'
import { readResourceUri } from './target/resource-uri.ts'
import { compileUriPattern } from './target/uri-pattern.ts'
import { createWork, MAX_WORK } from './work.ts'

const nobody = {
  ...{
    issuer: 'https://idp.example.com',
    subject: 'alice',
    clientId: undefined,
    scopes: new Set<string>(),
    groups: [],
    assurance: 'audience' as const,
  },
  ...{ claims: {}, expiresAt: Number.POSITIVE_INFINITY, acceptedUntil: Number.POSITIVE_INFINITY },
}

function count(judge: (work: { left: number }) => void): number {
  const work = createWork()
  judge(work)
  expect(work.left).toBeGreaterThan(0)
  return MAX_WORK - work.left
}

describe('twice the input takes no more than twice the steps', () => {
  it.each(['*/a*b', '**a*b*b', '*a*a*a*a*a*b', `${'*a'.repeat(100)}*b`])('for the pattern %j', (pattern) => {
    const matches = compileUriPattern(pattern)
    const steps = (length: number) => count((work) => matches(`${'a'.repeat(length)}b`, work))
    expect(steps(4000) / steps(2000)).toBeLessThan(2.2)
  })

  it.each([
    ['dot segments', '/../a'],
    ['empty segments', '//a'],
    ['escapes', '%2e%2e%2f'],
    ['backslashes', '\\..\\a'],
    ['parameters', ';a/..'],
    ['spaces at the end of names', 'a. . ./'],
    ['line breaks', '\t\r\n'],
    ['letters that are normalised', '\uff0e/'],
  ])('for a URI of %s', (_what, piece) => {
    const parts = listNamedParts(['file:///x'])
    const steps = (times: number) => count((work) => readResourceUri(`file:///${piece.repeat(times)}`, parts, work))
    expect(steps(200) / steps(100)).toBeLessThan(2.2)
  })
})

it('a name is matched in one pass, whatever the pattern', () => {
  expect(compileNamePattern('*a*a*a*a*b')('a'.repeat(50_000))).toBe(false)
})

it('one message cannot ask for more than its budget, and is told so', () => {
  const rules = Array.from({ length: 40 }, (_, index) => ({ resource: `**/*a*${index}`, scopes: ['s'] }))
  const policy = createPolicy({ baseScopes: [], rules, hierarchy: {}, unlistedOperations: 'permit' })
  const listen = (target: string): Operation => ({
    kind: 'request',
    method: 'subscriptions/listen',
    targetKind: 'resource',
    target,
    id: '1',
  })
  const operations = Array.from({ length: 1000 }, (_, index) => listen(`note://x/a+b%20c;d/..%2f${'a/'.repeat(15)}a${index}`))
  expect(policy.decide(nobody, { path: '/mcp', facts: someFacts, operations })).toMatchObject({
    effect: 'deny',
    code: 'resource_uri_ambiguous',
  })
  // What was cut short is not remembered: each is judged by itself afterwards.
  const last = listen(`note://x/${'a/'.repeat(25)}b`)
  expect(policy.decide(nobody, { path: '/mcp', facts: someFacts, operations: [last] })).toEqual({ effect: 'permit' })
})

it('verdicts on short names are remembered, and on long ones not', () => {
  let judged = 0
  const find = createApplicableMemory(({ targetKind }) => {
    judged++
    return { ...ANSWER, targetKind }
  })
  const ask = (target: string) =>
    find({ kind: 'request', method: 'tools/call', targetKind: 'tool', target, id: '1' }, createWork())
  for (let i = 0; i < 3; i++) ask('x'.repeat(246))
  expect(judged).toBe(1)
  for (let i = 0; i < 3; i++) ask('x'.repeat(247))
  expect(judged).toBe(4)
})

it('a thousand ordinary URIs, or a few hundred odd ones, are within the budget of one message', () => {
  const parts = listNamedParts(['file:///x/**'])
  const read = (times: number, uri: string) =>
    count((work) => Array.from({ length: times }, () => readResourceUri(uri, parts, work)))
  expect(read(1000, 'file:///srv/reports/2026/may/department/file-1.md')).toBeLessThan(MAX_WORK / 3)
  expect(read(1000, 'file:///srv/My%20Docs/a b.md')).toBeLessThan(MAX_WORK)
  // Each reading takes a dozen steps, so that odd URIs cost more than they are long.
  expect(read(1, 'note://x/a+b%20c;d/..%2f12')).toBeGreaterThan(20 * read(1, 'note://x/abcdefghijklmnop'))
})

it('of a thousand targets no more than some shadow refusals are told, and no more are looked for', () => {
  const plan = createPolicyPlan({ rules: [{ resource: '**', scopes: [], deny: true, mode: 'shadow' }] })
  const operations = Array.from({ length: 1000 }, (_, index) => request('resources/read', `note://${index}`))
  let steps = 0
  const decision = createPolicy(plan).decide(
    createPrincipal(),
    { path: '/mcp', operations, facts: someFacts },
    () => void steps++,
  )
  expect(decision).toMatchObject({ effect: 'permit', wouldDeny: { length: 20 } })
  // The scopes of the request are no check here: it needs none.
  expect(steps).toBe(20)
})
