// Expressions that a start takes for closed to strangers, of any form: does one hold for a stranger's token?
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { mayHoldForStrangers } from '../../src/config/check/stranger.ts'
import { isExpression } from '../../src/config/check/workload-issuer.ts'
import { findSharedIssuer } from '../../src/config/derive/shared-issuers.ts'
import type { Principal } from '../../src/core/principal.ts'
import { compileExpression } from '../../src/policy/expression/expression.ts'
import { createWork } from '../../src/policy/work.ts'

const GITHUB = 'https://token.actions.githubusercontent.com'
const shared = findSharedIssuer(GITHUB)
if (shared === undefined) throw new Error('no such issuer')

/** What the settings of an issuer make of scopes and groups: those of each stranger are among what the terms leave open. */
const none = { scopes: { possible: ['read'], areCertain: true }, groups: { names: [], ownedClaim: undefined } }
const SETTINGS = {
  none,
  'scopes by what strangers choose': { ...none, scopes: { possible: ['read', 'deploy'], areCertain: false } },
  'groups of a claim that names the owner': { ...none, groups: { names: undefined, ownedClaim: 'repository_owner' } },
}

/** A part that is known to a degree: it cannot hold for a stranger. */
const PART = "(principal.claims.environment == 'prod' && principal.client_id == 'x')"

/** Also comparisons that are no proof, and some that strangers can meet. */
const ATOMS = [
  "principal.claims.repository == 'acme/app'",
  "principal.claims['repository_owner'] in ['acme', 'umbrella']",
  "principal.claims.repository.startsWith('acme/')",
  "glob(principal.subject, 'repo:acme/*:environment:prod')",
  "principal.claims.repository.startsWith('acme')",
  "principal.claims.repository.endsWith('/app')",
  "principal.claims.environment == 'acme/app'",
  'principal.claims.environment == principal.claims.repository',
  'size(principal.claims.repository) > 7',
  "principal.subject.contains('acme/app')",
  'has(principal.claims.repository)',
  "'staff' in principal.groups",
  'principal.groups.size() == 0',
  "principal.groups.exists(group, group != 'x')",
  "'acme' in principal.groups",
  "principal.groups.exists(group, group.startsWith('acme'))",
  'has(principal.groups)',
  'size(principal.scopes) == 1',
  "'deploy' in principal.scopes",
  `[${PART}].exists(part, !part)`,
  `[${PART}].all(part, !part)`,
  `{"part": ${PART}, "other": true}.other`,
  `has({"part": ${PART}}.part)`,
  "'read' in principal.scopes",
  "'write' in principal.scopes",
  `principal.issuer == '${GITHUB}'`,
  "principal.issuer == 'https://idp.example.com'",
  "principal.client_id == 'nightly'",
  "principal.claims.missing == 'x'",
  "server == 'mcp'",
  "request.address == '10.0.0.1'",
]

const expressions = fc.letrec<{ any: string; pair: string }>((tie) => ({
  any: fc.oneof({ maxDepth: 4, depthSize: 'large' }, fc.constantFrom(...ATOMS), tie('pair')),
  pair: fc.oneof(
    fc.tuple(tie('any'), tie('any')).map(([one, other]) => `(${one} && ${other})`),
    fc.tuple(tie('any'), tie('any')).map(([one, other]) => `(${one} || ${other})`),
    fc.tuple(tie('any'), tie('any'), tie('any')).map(([test, one, other]) => `(${test} ? ${one} : ${other})`),
    tie('any').map((one) => `!(${one})`),
    fc.tuple(tie('any'), tie('any')).map(([one, other]) => `((${one}) == (${other}))`),
    tie('any').map((one) => `['acme', 'x'].exists(item, item == 'acme' && ${one})`),
  ),
})).any

type Setting = keyof typeof SETTINGS
const strangers = fc.record({
  settings: fc.constantFrom(...(Object.keys(SETTINGS) as Setting[])),
  repository: fc.constantFrom('stranger/app', 'acme-stranger/app', 'stranger/acme', 'x/y'),
  environment: fc.constantFrom('prod', 'acme/app', 'stranger/app', ''),
  issuer: fc.constantFrom(GITHUB, `${GITHUB}/`),
  address: fc.constantFrom('10.0.0.1', '192.0.2.1'),
})
type Stranger = typeof strangers extends fc.Arbitrary<infer T> ? T : never

function holds(source: string, { settings, repository, environment, issuer, address }: Stranger): boolean {
  const [owner = ''] = repository.split('/')
  const groups = settings === 'groups of a claim that names the owner' ? [owner] : []
  const isGranted = settings === 'scopes by what strangers choose' && environment === 'prod'
  const scopes = new Set(isGranted ? ['read', 'deploy'] : ['read'])
  const claims = { repository, repository_owner: owner, environment }
  const subject = `repo:${repository}:environment:${environment}`
  const principal = { issuer, subject, claims, scopes, groups } as unknown as Principal
  const request = { revision: '2025-11-25', path: '/mcp', address }
  const facts = { principal, operation: undefined, args: undefined, server: 'mcp', request, now: 0 }
  return compileExpression(source, 'who').evaluate(facts, createWork()).value === true
}

it('holds for no stranger, in any combination of comparisons', () => {
  let closed = 0
  const property = fc.property(expressions, fc.array(strangers, { minLength: 8, maxLength: 8 }), (source, all) => {
    if (!isExpression(source)) return
    const isClosed = (settings: Setting) =>
      !mayHoldForStrangers(source, shared, { issuer: GITHUB, server: 'mcp', ...SETTINGS[settings] })
    const outside = all.filter(({ settings }) => isClosed(settings))
    if (outside.length > 0) closed += 1
    expect(outside.filter((stranger) => holds(source, stranger))).toEqual([])
  })
  fc.assert(property, { numRuns: 3000 })
  expect(closed).toBeGreaterThan(300)
})

it('takes for open what costs too much to prove', () => {
  const numbers = `[${Array.from({ length: 20 }, (_, at) => at).join(', ')}]`
  const body = 'one + two + three + four >= 0'
  const costly = ['one', 'two', 'three', 'four'].reduceRight((inner, name) => `${numbers}.all(${name}, ${inner})`, body)
  const source = `principal.claims.environment == 'prod' ? ${costly} : 'read' in principal.scopes`
  const stranger = { settings: 'none', repository: 'x/y', environment: '', issuer: GITHUB, address: '192.0.2.1' } as const
  expect(holds(source, stranger)).toBe(true)
  expect(mayHoldForStrangers(source, shared, { issuer: GITHUB, server: 'mcp', ...none })).toBe(true)
})
