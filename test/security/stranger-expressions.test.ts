// Expressions that a start takes for closed to strangers, of any form: does one hold for a stranger's token?
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { mayHoldForStrangers } from '../../src/config/check/stranger.ts'
import { findSharedIssuer } from '../../src/config/derive/shared-issuers.ts'
import type { Principal } from '../../src/core/principal.ts'
import { compileExpression } from '../../src/policy/expression/expression.ts'
import { ExpressionError } from '../../src/policy/expression/syntax.ts'
import { createWork } from '../../src/policy/work.ts'

const GITHUB = 'https://token.actions.githubusercontent.com'
const terms = { issuer: GITHUB, server: 'mcp', scopes: ['read'], groups: [] }

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

const strangers = fc.record({
  repository: fc.constantFrom('stranger/app', 'acme-stranger/app', 'stranger/acme', 'x/y'),
  environment: fc.constantFrom('prod', 'acme/app', 'stranger/app', ''),
  issuer: fc.constantFrom(GITHUB, `${GITHUB}/`),
  address: fc.constantFrom('10.0.0.1', '192.0.2.1'),
})
type Stranger = typeof strangers extends fc.Arbitrary<infer T> ? T : never

function holds(source: string, { repository, environment, issuer, address }: Stranger): boolean {
  const [owner = ''] = repository.split('/')
  const claims = { repository, repository_owner: owner, environment }
  const subject = `repo:${repository}:environment:${environment}`
  const principal = { issuer, subject, claims, scopes: new Set(['read']), groups: [] } as unknown as Principal
  const request = { revision: '2025-11-25', path: '/mcp', address }
  const facts = { principal, operation: undefined, args: undefined, server: 'mcp', request, now: 0 }
  return compileExpression(source, 'who').evaluate(facts, createWork()).value === true
}

it('holds for no stranger, in any combination of comparisons', () => {
  const shared = findSharedIssuer(GITHUB)
  if (shared === undefined) throw new Error('no such issuer')
  let closed = 0
  const property = fc.property(expressions, fc.array(strangers, { minLength: 8, maxLength: 8 }), (source, all) => {
    if (!isExpression(source) || mayHoldForStrangers(source, shared, terms)) return
    closed += 1
    expect(all.filter((stranger) => holds(source, stranger))).toEqual([])
  })
  fc.assert(property, { numRuns: 3000 })
  expect(closed).toBeGreaterThan(300)
})

function isExpression(source: string): boolean {
  try {
    compileExpression(source, 'who')
    return true
  } catch (error) {
    if (error instanceof ExpressionError) return false
    throw error
  }
}
