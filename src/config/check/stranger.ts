import { isPublicMail } from '../../identity/public-users.ts'
import { type FactTest, mayHoldWithout } from '../../policy/expression/fact-tests.ts'
import { ExpressionError } from '../../policy/expression/syntax.ts'
import type { SharedIssuer } from '../derive/shared-issuers.ts'

/** What a stranger's token of a shared issuer has besides its claims. */
export interface StrangerTerms {
  readonly issuer: string
  readonly server: string
  readonly scopes: StrangerScopes
  readonly groups: StrangerGroups
}

export interface StrangerScopes {
  /** Undefined where that cannot be told: it may have any. */
  readonly possible: readonly string[] | undefined
  /** Whether each of their tokens has just these. */
  readonly areCertain: boolean
}

export interface StrangerGroups {
  /** Undefined where they cannot be told. */
  readonly names: readonly string[] | 'unreadable' | undefined
  /** The claim that they are read from, where its values name owners. */
  readonly ownedClaim: string | undefined
}

/**
 * Whether an expression may hold for tokens that strangers can get at a shared issuer. Comparisons of claims that name the owner with a text are
 * false for them, issuer and server are known, scopes and groups where they cannot differ, and everything else may be anything.
 *
 * @returns true also where that cannot be told
 */
export function mayHoldForStrangers(source: string, shared: SharedIssuer, terms: StrangerTerms): boolean {
  const { issuer, server, groups } = terms
  const scopes = terms.scopes.areCertain ? terms.scopes.possible : undefined
  const bare = removeSlashes(issuer)
  return [bare, `${bare}/`].some((spelling) => {
    const principal = { issuer: spelling, scopes, groups: groups.names, mayNameClient: shared.namesClients === true }
    return [true, false].some((isMailVerified) =>
      mayHold(source, (test) => isFalse(test, shared, { ...terms, isMailVerified }), { principal, server }),
    )
  })
}

function mayHold(...[source, isFalse, known]: [string, (test: FactTest) => boolean, Parameters<typeof mayHoldWithout>[3]]) {
  try {
    return mayHoldWithout(source, 'who', isFalse, known)
  } catch (error) {
    if (error instanceof ExpressionError) return true
    throw error
  }
}

const removeSlashes = (issuer: string): string => issuer.replace(/\/+$/, '')

const CLAIMS = 'principal.claims.'

/** Whether a comparison holds for no stranger. Where an address is not verified it is any, and the expression can ask for that. */
function isFalse(test: FactTest, shared: SharedIssuer, terms: StrangerTerms & { readonly isMailVerified: boolean }): boolean {
  const { path, kind, texts } = test
  const { scopes, groups, isMailVerified } = terms
  if (!isMailVerified && path === `${CLAIMS}email`) return false
  if (!isMailVerified && path === `${CLAIMS}email_verified`) return kind === 'equals' && texts.every((text) => text === 'true')
  if (path === 'principal.scopes') return kind === 'has' && texts.every((text) => scopes.possible?.includes(text) === false)
  if (path === 'principal.groups') return kind === 'has' && areOwners(texts, groups, shared)
  return namesOtherOwner(test, shared)
}

/** Whether groups are those of owners. */
export function areOwners(names: readonly string[], { ownedClaim }: StrangerGroups, shared: SharedIssuer): boolean {
  return ownedClaim !== undefined && isOwner(ownedClaim, names, shared)
}

/** Whether a comparison is with an owner, who is no stranger. */
function namesOtherOwner({ path, kind, texts }: FactTest, shared: SharedIssuer): boolean {
  const claim = readClaim(path)
  if (claim === undefined || !shared.owned.has(claim)) return false
  return kind === 'begins' ? texts.every((text) => beginsWithOwner(claim, text, shared)) : isOwner(claim, texts, shared)
}

function readClaim(path: string): string | undefined {
  if (path === 'principal.subject') return 'sub'
  return path.startsWith(CLAIMS) ? path.slice(CLAIMS.length) : undefined
}

/** Whether values of a claim that names the owner are those of owners. */
export function isOwner(claim: string, values: readonly (string | undefined)[], shared: SharedIssuer): boolean {
  return values.every((value) => {
    if (value === undefined || value.trim() === '') return false
    if (claim === 'email_domain') return !isPublicMail(value)
    return claim !== 'sub' || namesOwner(value, shared)
  })
}

/**
 * A subject may be of parts that its author chose (`include_claim_keys` of GitHub), names and values in turn, with `%3A` for a colon in a value:
 * the name of one has to be that of the owner. `pull_request` has no value, so that behind it a value could stand in the place of a name.
 */
function namesOwner(subject: string, { owned, subjectPrefix }: SharedIssuer): boolean {
  if (subjectPrefix === '') return true
  const all = subject.split(':')
  const parts = all.slice(0, all.includes('pull_request') ? all.indexOf('pull_request') : all.length)
  return parts.some((part, at) => at % 2 === 0 && parts[at + 1] && (owned.has(part) || `${part}:` === subjectPrefix))
}

/** Whether all that begins so is of one owner: `acme/`, `repo:acme/`. Without the end of its name, others begin in the same way. */
function beginsWithOwner(claim: string, text: string, { subjectPrefix }: SharedIssuer): boolean {
  if (claim !== 'sub') return /(?:^|_)(?:repository|path)$/.test(claim) && /^[^/:@\s]+\//.test(text)
  return subjectPrefix !== '' && text.startsWith(subjectPrefix) && /^[^/:@\s]+[/:]/.test(text.slice(subjectPrefix.length))
}
