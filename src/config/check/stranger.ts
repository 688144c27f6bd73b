import type { CompiledExpression } from '../../policy/expression/expression.ts'
import type { KnownPrincipal } from '../../policy/expression/names.ts'
import type { SharedIssuer } from '../derive/shared-issuers.ts'

/** What a stranger's token of a shared issuer has besides its claims. */
export interface StrangerTerms {
  readonly issuer: string
  readonly server: string
  /** Undefined where they cannot be told. */
  readonly scopes: readonly string[] | undefined
  readonly groups: readonly string[] | undefined
}

/**
 * Whether an expression may hold for tokens that strangers can get at a shared issuer. It is asked about tokens of made-up owners, with names
 * that come as close to those in the expression as a stranger can choose them; what a job or its author says in other claims may be anything.
 *
 * @returns true also where that cannot be told
 */
export function mayHoldForStrangers(expression: CompiledExpression, shared: SharedIssuer, terms: StrangerTerms): boolean {
  const texts = [...expression.source.matchAll(TEXT)].map(([, double, single]) => double ?? single ?? '')
  const literals = texts.map((text) => text.replaceAll('*', 'stranger'))
  return ['stranger', ...literals].some((literal) =>
    createStrangers(literal, shared, terms).some((principal) => mayHoldFor(expression, principal, terms.server)),
  )
}

const TEXT = /"([^"\n]*)"|'([^'\n]*)'/g

/** A list of claims that is counted or walked through cannot be told. */
function mayHoldFor(expression: CompiledExpression, principal: KnownPrincipal, server: string): boolean {
  try {
    return expression.mayHoldFor({ principal, server })
  } catch {
    return true
  }
}

function createStrangers(literal: string, shared: SharedIssuer, terms: StrangerTerms): readonly KnownPrincipal[] {
  const { issuer, scopes, groups } = terms
  const bare = issuer.replace(/\/+$/, '')
  const names = listNames(literal, shared)
  const owners = [
    ...[...names, ...EXTREMES].map((name) => [name, shared.subjectPrefix + name] as const),
    ...listSubjects(literal, shared),
  ]
  return owners.flatMap(([name, subject]) =>
    [bare, `${bare}/`].map((spelling) => ({
      ...{ issuer: spelling, subject, scopes, groups },
      claims: new Map([...shared.owned].map((claim) => [claim, claim === 'sub' ? subject : name])),
    })),
  )
}

/** For expressions that ask which of two is greater, of ids or of names. */
const EXTREMES = ['0', '9007199254740991', '!', '~']

/** `not-acme/app`, `acme-x/app` and `x/app`, where an expression says `acme/app`. */
function listNames(literal: string, { subjectPrefix }: SharedIssuer): readonly string[] {
  const name = literal.startsWith(subjectPrefix) ? literal.slice(subjectPrefix.length) : literal
  const end = name.search(/[/:@]/)
  const [owner, rest] = end < 0 ? [name, ''] : [name.slice(0, end), name.slice(end)]
  return [`stranger-${name}`, `${owner}-stranger${rest}`, `stranger${rest}`, `stranger/${name.slice(name.lastIndexOf('/') + 1)}`]
}

/** Whatever stands behind the owner in `sub` is the stranger's own choice: names of branches and environments, without colons. */
function listSubjects(literal: string, { subjectPrefix }: SharedIssuer): readonly (readonly [name: string, subject: string])[] {
  if (subjectPrefix === '') return []
  const chosen = literal.includes(subjectPrefix) ? [] : [literal.replace(/^:/, '')]
  const escaped = `environment:${literal.replaceAll(':', '%3A')}`
  return [...chosen, escaped].map((end) => ['stranger/stranger', `${subjectPrefix}stranger/stranger:${end}`])
}
