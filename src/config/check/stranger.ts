import { isPublicMail } from '../../identity/public-users.ts'
import { type FactTest, mayHoldWithout } from '../../policy/expression/fact-tests.ts'
import { ExpressionError } from '../../policy/expression/syntax.ts'
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
 * Whether an expression may hold for tokens that strangers can get at a shared issuer. Comparisons of claims that name the owner with a text are
 * false for them, issuer, server, scopes and groups are known, and everything else may be anything.
 *
 * @returns true also where that cannot be told
 */
export function mayHoldForStrangers(source: string, shared: SharedIssuer, terms: StrangerTerms): boolean {
  const { issuer, server, scopes, groups } = terms
  const bare = removeSlashes(issuer)
  return [bare, `${bare}/`].some((spelling) => {
    const principal = { issuer: spelling, scopes, groups, mayNameClient: shared.namesClients === true }
    return mayHold(source, (test) => namesOtherOwner(test, shared), { principal, server })
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

/** Whether a comparison is with an owner, who is no stranger. */
function namesOtherOwner({ path, kind, texts }: FactTest, shared: SharedIssuer): boolean {
  const claim = readClaim(path, shared)
  if (claim === undefined || !shared.owned.has(claim)) return false
  return kind === 'begins' ? texts.every((text) => beginsWithOwner(claim, text, shared)) : isOwner(claim, texts, shared)
}

function readClaim(path: string, { owned }: SharedIssuer): string | undefined {
  if (path === 'principal.subject') return 'sub'
  if (path === 'principal.client_id') return owned.has('azp') ? 'azp' : undefined
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

/** A subject may be of parts that its author chose (`include_claim_keys` of GitHub): one of them has to be the owner. */
function namesOwner(subject: string, { owned, subjectPrefix }: SharedIssuer): boolean {
  const parts = subject.split(':')
  return subjectPrefix === '' || parts.some((part) => owned.has(part) || `${part}:` === subjectPrefix)
}

/** Whether all that begins so is of one owner: `acme/`, `repo:acme/`. Without the end of its name, others begin in the same way. */
function beginsWithOwner(claim: string, text: string, { subjectPrefix }: SharedIssuer): boolean {
  if (claim !== 'sub') return /(?:^|_)(?:repository|path)$/.test(claim) && /^[^/:@\s]+\//.test(text)
  return subjectPrefix !== '' && text.startsWith(subjectPrefix) && /^[^/:@\s]+[/:]/.test(text.slice(subjectPrefix.length))
}
