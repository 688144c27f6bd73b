import type { Operation } from '../../core/operation.ts'
import { createClaims } from './claims.ts'
import type { ExpressionFacts } from './facts.ts'
import { fromClock } from './time.ts'
import { UNKNOWN } from './truth.ts'
import { createFailure, createList, type Value } from './value.ts'

/** Where an expression stands. `who` decides which principals an access entry is about: it sees no operation and no arguments. */
export type Use = 'who' | 'require'

/** What expressions see under a name. */
export interface NamedFact {
  /** For the type checker. */
  readonly type: string
  /** Only expressions of this use see it. */
  readonly use?: Use
  /** Whether it is one of `tool`, `prompt` and `resource`. */
  readonly hasKinds?: true
  /** Fails where it is missing; members of a record fail for no other reason. */
  read(facts: ExpressionFacts): Value
}

/** Names with members; each member is a fact. Looked up as own properties of a Map: `principal.constructor` is no member. */
export const records: ReadonlyMap<string, ReadonlyMap<string, NamedFact>> = new Map([
  [
    'principal',
    new Map<string, NamedFact>([
      ['issuer', { type: 'string', read: ({ principal }) => principal.issuer }],
      ['subject', { type: 'string', read: ({ principal }) => principal.subject ?? missing('principal.subject') }],
      ['client_id', { type: 'string', read: ({ principal }) => principal.clientId ?? missing('principal.client_id') }],
      ['scopes', { type: 'list<string>', read: ({ principal }) => createList([...principal.scopes]) }],
      ['groups', { type: 'list<string>', read: readGroups }],
      ['claims', { type: 'map<string, dyn>', read: ({ principal }) => createClaims(principal.claims) }],
    ]),
  ],
  [
    'operation',
    new Map<string, NamedFact>([
      ['method', { type: 'string', use: 'require', read: readOperation('method', ({ method }) => method) }],
      ['kind', { type: 'string', use: 'require', hasKinds: true, read: readOperation('kind', ({ targetKind }) => targetKind) }],
      ['target', { type: 'string', use: 'require', read: readOperation('target', ({ target }) => target) }],
    ]),
  ],
  [
    'request',
    new Map<string, NamedFact>([
      ['revision', { type: 'string', read: ({ request }) => request.revision }],
      ['path', { type: 'string', read: ({ request }) => request.path }],
      ['address', { type: 'string', read: ({ request }) => request.address }],
    ]),
  ],
])

/** Names that are facts themselves. */
export const facts: ReadonlyMap<string, NamedFact> = new Map<string, NamedFact>([
  ['args', { type: 'map<string, dyn>', use: 'require', read: ({ args }) => (args === undefined ? UNKNOWN : args()) }],
  ['server', { type: 'string', read: ({ server }) => server }],
  ['now', { type: 'google.protobuf.Timestamp', read: ({ now }) => fromClock(now) }],
])

/** What is known of all calls that an expression will be asked about, before there is one. */
export interface KnownFacts {
  readonly server?: string
  readonly path?: string
  readonly method?: string
  /** `none`: they have no target. */
  readonly kind?: NonNullable<Operation['targetKind']> | 'none'
  /** Of a tool or prompt. */
  readonly target?: string
  readonly principal?: KnownPrincipal
}

/** What is known of a principal. Its subject and claims may be anything. */
interface KnownPrincipal {
  readonly issuer: string
  /** Whether it may have a client, any. */
  readonly mayNameClient: boolean
  readonly scopes: readonly string[] | undefined
  /** `unreadable`: each look at them fails. */
  readonly groups: readonly string[] | 'unreadable' | undefined
}

/** The same by the facts that expressions see. */
export function listKnownFacts({ server, path, method, kind, target, principal }: KnownFacts): ReadonlyMap<NamedFact, Value> {
  const operation = records.get('operation')
  const pairs: readonly (readonly [NamedFact | undefined, Value | undefined])[] = [
    [facts.get('server'), server],
    [records.get('request')?.get('path'), path],
    [operation?.get('method'), method],
    [operation?.get('kind'), kind === 'none' ? missing('operation.kind') : kind],
    [operation?.get('target'), kind === 'none' ? missing('operation.target') : target],
    ...(principal === undefined ? [] : listOfPrincipal(principal)),
  ]
  return new Map(pairs.flatMap(([fact, value]) => (fact === undefined || value === undefined ? [] : [[fact, value] as const])))
}

function listOfPrincipal({ issuer, mayNameClient, scopes, groups }: KnownPrincipal) {
  const known: Readonly<Record<string, Value | undefined>> = {
    issuer,
    client_id: mayNameClient ? undefined : missing('principal.client_id'),
    scopes: scopes && createList(scopes),
    groups: groups === 'unreadable' ? createFailure('principal.groups is not known') : groups && createList(groups),
  }
  return Object.entries(known).map(([name, value]) => [records.get('principal')?.get(name), value] as const)
}

function readOperation(member: string, read: (operation: Operation) => string | undefined): NamedFact['read'] {
  return ({ operation }) => (operation && read(operation)) ?? missing(`operation.${member}`)
}

/** Groups that are not known are not none: each test of them fails, also that a user is not in one. */
function readGroups({ principal }: ExpressionFacts): Value {
  const { groups, groupsUnknown } = principal
  return groupsUnknown === undefined ? createList(groups) : createFailure(`principal.groups is not known: ${groupsUnknown}`)
}

function missing(what: string): Value {
  return createFailure(`${what} is missing`)
}

/** All names, for a message. */
export function listNames(use: Use): string {
  const ofUse = [...records, ...facts].map(([name]) => name).filter((name) => isSeen(name, use))
  return ofUse.join(', ')
}

/** Whether expressions of this use see the name. */
export function isSeen(name: string, use: Use): boolean {
  const fact = facts.get(name) ?? records.get(name)?.values().next().value
  return fact !== undefined && (fact.use === undefined || fact.use === use)
}
