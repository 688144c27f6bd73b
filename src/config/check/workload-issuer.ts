import { compileExpression } from '../../policy/expression/expression.ts'
import { ExpressionError } from '../../policy/expression/syntax.ts'
import { nameServer } from '../derive/endpoints.ts'
import { createGroupsPlan } from '../derive/groups.ts'
import { entriesOf } from '../derive/present-items.ts'
import { findSharedIssuer, type SharedIssuer } from '../derive/shared-issuers.ts'
import { isLoopback } from '../format/formats.ts'
import { type ConfigPath, formatPath, quote } from '../problem/problem.ts'
import type { AccessEntryConfig } from '../schema/access.ts'
import type { IssuerConfig } from '../schema/issuer.ts'
import type { PartialConfig } from '../schema/partial-config.ts'
import type { ServerConfig } from '../schema/server.ts'
import type { CheckContext } from './check-context.ts'
import {
  areOwners,
  isOwner,
  mayHoldForStrangers,
  type StrangerGroups,
  type StrangerScopes,
  type StrangerTerms,
} from './stranger.ts'

type Issuer = PartialConfig<IssuerConfig>

/** Checks `grant`, `fetch_token_file` and `spiffe_trust_domain` of an issuer. */
export function checkWorkloadIssuer(issuer: Issuer, at: ConfigPath, { isBroken, report }: CheckContext): void {
  for (const [index, rule] of entriesOf(issuer.grant)) {
    const place = [...at, 'grant', index]
    if ((rule.claim === undefined) === (rule.values === undefined) || isBroken(place)) continue
    report(place, { reason: 'has only one of `claim` and `values`', fix: 'Write both, or neither for all tokens of the issuer.' })
  }
  if (issuer.fetch_token_file === undefined) return
  const urls = [issuer.metadata_url ?? issuer.issuer, issuer.jwks_uri].filter((url) => url !== undefined)
  if (urls.every(isSafe)) return
  report([...at, 'fetch_token_file'], {
    reason: 'would be sent unencrypted: the issuer is fetched over http',
    fix: 'Write https addresses, with `ca_file` for an authority of your own.',
  })
}

function isSafe(url: string): boolean {
  const target = URL.parse(url)
  return target === null || target.protocol === 'https:' || isLoopback(target.hostname)
}

/** A token of such an issuer proves that some customer asked for it, and the audience is no secret. */
export function checkSharedIssuers(context: CheckContext): void {
  const { config } = context
  const told = new Set<string>()
  const report: CheckContext['report'] = (at, mistake) => {
    if (!told.has(formatPath(at))) context.report(at, mistake)
    told.add(formatPath(at))
  }
  for (const [index, server] of entriesOf(config.servers)) {
    const at = server.issuers === undefined ? ['issuers'] : ['servers', index, 'issuers']
    for (const [place, issuer] of entriesOf(server.issuers ?? config.issuers)) {
      const shared = findSharedIssuer(issuer.issuer ?? '')
      if (shared === undefined) continue
      checkSharedIssuer({ shared, issuer, at: [...at, place], server, index }, { ...context, report })
    }
  }
}

interface Use {
  readonly shared: SharedIssuer
  readonly issuer: Issuer
  readonly at: ConfigPath
  /** The server that accepts its tokens, and its place. */
  readonly server: PartialConfig<ServerConfig>
  readonly index: number
}

function checkSharedIssuer(use: Use, context: CheckContext): void {
  const { shared, issuer, at, server, index } = use
  const { config, isBroken, report } = context
  const scopes = listScopesOfStrangers(use)
  const base = entriesOf(server.scopes).map(([, scope]) => scope)
  if (scopes.possible?.length === 0 && base.length > 0) return
  const hasAccess = server.access !== undefined || config.access !== undefined || isBroken(['access'])
  const isEnforced = hasAccess && (server.access_mode ?? config.access_mode) !== 'shadow'
  if (!isEnforced)
    report(at, {
      reason: `lets in ${shared.everyone}: anyone can get a token for this audience there`,
      fix: `Add \`access\` with a condition on ${listOwned(shared)}, or base \`scopes\` at the server and \`grant\` with \`claim\` and \`values\` on one of these here.`,
    })
  if (!isEnforced) return
  const terms = { issuer: issuer.issuer ?? '', server: nameServer(server), scopes, groups: describeGroupsOfStrangers(use) }
  const own = entriesOf(server.access).map(([at_, entry]) => [['servers', index, 'access', at_], entry] as const)
  const general = entriesOf(config.access).map(([at_, entry]) => [['access', at_], entry] as const)
  for (const [place, entry] of [...own, ...general])
    if (!isBroken(place) && !isNarrow(entry, shared, terms))
      report(place, {
        reason: `opens this to ${shared.everyone}: the server ${quote(nameServer(server))} accepts tokens of ${issuer.issuer}, which strangers get for any audience`,
        fix: `Add a condition on ${listOwned(shared)}, or \`principal.issuer == …\` for callers of another issuer: what strangers choose themselves is none.`,
      })
}

/** A stranger may meet the condition of a grant or not, unless it names an owner. */
function listScopesOfStrangers({ shared, issuer }: Use): StrangerScopes {
  if (shared.namesScopes || issuer.scope_claims !== undefined || issuer.introspection !== undefined)
    return { possible: undefined, areCertain: false }
  const rules = entriesOf(issuer.grant).flatMap(([, rule]) => (isOwned(rule, shared) ? [] : [rule]))
  const possible = new Set(rules.flatMap(({ scopes }) => entriesOf(scopes).map(([, scope]) => scope)))
  return { possible: [...possible], areCertain: rules.every(({ claim, values }) => claim === undefined && values === undefined) }
}

/** A stranger has groups of their own, wherever the issuer names any, or the configuration takes another claim for them. */
function describeGroupsOfStrangers({ shared, issuer }: Use): StrangerGroups {
  const { claim } = createGroupsPlan(issuer, { kind: undefined, issuer: issuer.issuer ?? '', scopes: undefined })
  if (claim === undefined) return { names: 'unreadable', ownedClaim: undefined }
  const names = issuer.groups_claim === undefined && shared.namesGroups !== true ? [] : undefined
  // Parts of a name may be those of strangers, and an address of theirs need not be verified here.
  const isWhole = issuer.groups_separator === undefined && claim !== 'email'
  return { names, ownedClaim: isWhole && shared.owned.has(claim) ? claim : undefined }
}

function isNarrow(entry: PartialConfig<AccessEntryConfig>, shared: SharedIssuer, terms: StrangerTerms): boolean {
  if (isOwned(entry, shared) || isOfOwners(entry, shared, terms.groups)) return true
  return entry.who !== undefined && (!isExpression(entry.who) || !mayHoldForStrangers(entry.who, shared, terms))
}

/** Whether no stranger is in the groups of an entry. */
function isOfOwners({ groups }: PartialConfig<AccessEntryConfig>, shared: SharedIssuer, ofStrangers: StrangerGroups): boolean {
  if (groups === undefined) return false
  const names = entriesOf(groups).map(([, name]) => name)
  return ofStrangers.names !== undefined || areOwners(names, ofStrangers, shared)
}

/** What is none is reported where expressions are checked. */
export function isExpression(source: string): boolean {
  try {
    compileExpression(source, 'who')
    return true
  } catch (error) {
    if (error instanceof ExpressionError) return false
    throw error
  }
}

/** Whether a condition names an owner, who is no stranger. */
function isOwned({ claim, values }: Condition, shared: SharedIssuer): boolean {
  if (claim === undefined || !shared.owned.has(claim)) return false
  return isOwner(
    claim,
    entriesOf(values).map(([, value]) => value),
    shared,
  )
}

interface Condition {
  readonly claim?: string | undefined
  readonly values?: readonly (string | undefined)[] | undefined
}

function listOwned({ owned }: SharedIssuer): string {
  const [first = '', second = ''] = owned
  return `${quote(first)}, ${quote(second)} or another claim that names the owner`
}
