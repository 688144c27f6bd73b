import fc from 'fast-check'
import type { Operation } from '../../src/core/operation.ts'
import type { PolicyPlan } from '../../src/core/plan/policy-plan.ts'
import type { Principal } from '../../src/core/principal.ts'
import { createPolicy } from '../../src/policy/policy.ts'
import { someFacts } from './request-facts.ts'

const nobody: Principal = {
  issuer: 'https://idp.example.com',
  subject: 'alice',
  clientId: undefined,
  scopes: new Set(),
  groups: [],
  assurance: 'audience',
  claims: {},
  expiresAt: Number.POSITIVE_INFINITY,
  acceptedUntil: Number.POSITIVE_INFINITY,
}

/** A policy, and the paths that nobody without scopes may open under it. */
interface Protection {
  readonly what: string
  permits(uri: string): boolean
  protects(path: string): boolean
}

const opened = { resource: 'file:///srv/public/**', scopes: [] }
const restricted = { resource: 'file:///srv/secret/**', scopes: ['secrets'] }
const isBelow = (directory: string) => (path: string) => path === directory || path.startsWith(`${directory}/`)
const isSecret = isBelow('/srv/secret')
const isPublic = isBelow('/srv/public')

export const protections: readonly Protection[] = [
  protect('only one directory is open', { rules: [opened], unlistedOperations: 'deny' }, (path) => !isPublic(path)),
  protect(
    'one directory is open, one needs a scope',
    { rules: [opened, restricted], unlistedOperations: 'deny' },
    (path) => !isPublic(path),
  ),
  protect('one directory needs a scope', { rules: [restricted], unlistedOperations: 'permit' }, isSecret),
  protect(
    'one file needs a scope',
    { rules: [{ resource: 'file:///srv/secret/k', scopes: ['secrets'] }], unlistedOperations: 'permit' },
    (path) => path === '/srv/secret/k',
  ),
  protect(
    'one file is open',
    { rules: [{ resource: 'file:///srv/public/a', scopes: [] }], unlistedOperations: 'deny' },
    (path) => path !== '/srv/public/a',
  ),
]

function protect(
  what: string,
  plan: Pick<PolicyPlan, 'rules' | 'unlistedOperations'>,
  protects: (path: string) => boolean,
): Protection {
  const policy = createPolicy({ baseScopes: [], hierarchy: {}, ...plan })
  const permits = (target: string): boolean => {
    const operation: Operation = { kind: 'request', method: 'resources/read', targetKind: 'resource', target, id: '1' }
    return policy.decide(nobody, { path: '/mcp', facts: someFacts, operations: [operation] }).effect === 'permit'
  }
  return { what, permits, protects }
}

const beginnings = [
  ...[
    'file:///srv/public',
    'file:///srv/public',
    'file:///srv/public',
    'file:///srv/secret',
    'file:///srv',
    'file://',
    'file:',
    '',
  ],
  ...[
    'FILE:///srv/public',
    'file://localhost/srv',
    'file://x/srv',
    'file://@/srv',
    'file:////srv',
    'file:\\\\\\srv',
    ' file:///srv',
  ],
  ...['file://srv', '/srv', 'srv', 'file://..', 'file:///srv/public//srv', 'file://\t/srv', 'file:/srv/public'],
]
const names = ['secret', 'secret', 'k', 'k', 'public', 'srv', 'a', '%73ecret', 'SECRET', 'a b', 'ü', 'a%20b']
const ways = [
  '..',
  '..',
  '..',
  '.',
  '',
  '%2e%2e',
  '.%2E',
  '%252e%252e',
  '..\t',
  '..\\',
  '\\..',
  '..%20',
  '..%09',
  '..;x',
  '..%00',
]
const marks = [
  '?',
  '#',
  '%3f',
  '%23',
  ';',
  '\\',
  '%5c',
  '%2f',
  '%252f',
  '+',
  '%2b',
  '\t',
  '\n',
  ' ',
  '%20',
  '%0a',
  '\u0001',
  '\uff0f',
  '@',
  ':',
]
const joints = ['/', '/', '/', '/', '//', '\\', '%2f', '%5c', '/./', '%252f', '/?/', '/#/']

/** Spellings that mean well, and many that don't. */
export const resourceUris: fc.Arbitrary<string> = fc
  .tuple(
    fc.constantFrom(...beginnings),
    fc.array(
      fc.tuple(
        fc.constantFrom(...joints),
        fc.oneof(
          { weight: 3, arbitrary: fc.constantFrom(...names) },
          { weight: 4, arbitrary: fc.constantFrom(...ways) },
          {
            weight: 1,
            arbitrary: fc.tuple(fc.constantFrom(...names, ...ways), fc.constantFrom(...marks)).map((pair) => pair.join('')),
          },
        ),
      ),
      { maxLength: 7 },
    ),
    fc.constantFrom('', '', '', '', '/', '/.', '?', '?x=1', '#x', '%23', '%20', ' ', '\t', '%3f', ';x', '/..', '%00'),
  )
  .map(([beginning, segments, end]) => beginning + segments.flat().join('') + end)
