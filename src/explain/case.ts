import type { ReportCase, RuleCase } from '../config/load-rule-cases.ts'
import type { ListedKind } from '../core/decision.ts'
import { ProxyError } from '../core/errors.ts'
import type { Plan } from '../core/plan/plan.ts'
import type { ServerPlan } from '../core/plan/server-plan.ts'
import type { Principal } from '../core/principal.ts'
import type { Outcome } from './answer.ts'
import { createCircumstances } from './explanation.ts'
import { createPrincipalOfClaims, UnknownIssuerError } from './principal.ts'
import { type Circumstances, createQuestion, type NamedOperation, type OperationKind } from './request.ts'

/** A case whose names were looked up in the configuration. */
export interface SettledCase {
  readonly name: string | undefined
  readonly server: ServerPlan
  readonly principal: Principal
  readonly circumstances: Circumstances
  readonly ask: CaseOperation | CaseList
}

export interface CaseOperation {
  readonly operation: NamedOperation
  readonly expect: Outcome
  /** All scopes of the challenge, where the case names them. */
  readonly scopes: readonly string[] | undefined
  /** Whether what is only tried would refuse it, or what of that; undefined where it does not matter. */
  readonly wouldDeny: boolean | readonly string[] | undefined
}

export interface CaseList {
  readonly list: ListedKind
  readonly of: readonly string[]
  readonly shows: readonly string[]
}

const LISTED: Readonly<Record<NonNullable<RuleCase['list']>, ListedKind>> = {
  tools: 'tool',
  prompts: 'prompt',
  resources: 'resource',
  resource_templates: 'resource_template',
}

/** Looks up what a case names. Reports what is not there, and returns undefined then. */
export function settleCase(given: RuleCase, plan: Plan, report: ReportCase): SettledCase | undefined {
  const server = findServer(given, plan.servers, report)
  if (server === undefined) return undefined
  const circumstances = settleCircumstances(given, server, report)
  const principal = settlePrincipal(given, server, report)
  const ask = settleAsk(given)
  checkTried(given, server, report)
  if (circumstances === undefined || principal === undefined) return undefined
  const settled = { name: given.name, server, principal, circumstances, ask }
  return isReadable(settled, plan, report) ? settled : undefined
}

function findServer({ server: name }: RuleCase, servers: readonly ServerPlan[], report: ReportCase): ServerPlan | undefined {
  const found =
    name === undefined ? (servers.length === 1 ? servers[0] : undefined) : servers.find((server) => server.name === name)
  if (found !== undefined) return found
  const names = servers.map((server) => server.name).join(', ')
  if (name === undefined) report([], { reason: 'does not say which server it is about', fix: `Add \`server\`: one of ${names}.` })
  else report(['server'], { reason: 'there is no server of that name', fix: `Write one of ${names}.` })
  return undefined
}

function settleCircumstances({ request }: RuleCase, server: ServerPlan, report: ReportCase): Circumstances | undefined {
  const { path, now, revision, address } = request ?? {}
  const paths = server.endpoints.map((endpoint) => endpoint.path)
  if (path !== undefined && !paths.includes(path)) {
    report(['request', 'path'], { reason: 'is no path of the server', fix: `Write one of ${paths.join(', ')}.` })
    return undefined
  }
  const time = now === undefined ? undefined : Date.parse(now)
  return createCircumstances(server, {
    ...(path !== undefined && { path }),
    ...(revision !== undefined && { revision }),
    ...(address !== undefined && { address }),
    ...(time !== undefined && { now: () => time }),
  })
}

function settlePrincipal({ principal }: RuleCase, server: ServerPlan, report: ReportCase): Principal | undefined {
  const { subject, client_id, issuer, scopes, groups, claims } = principal
  const all = {
    ...claims,
    ...(subject !== undefined && { sub: subject }),
    ...(client_id !== undefined && { client_id }),
    ...(issuer !== undefined && { iss: issuer }),
  }
  try {
    return createPrincipalOfClaims(all, server, { scopes, groups })
  } catch (error) {
    if (error instanceof UnknownIssuerError)
      report(['principal'], { reason: 'does not say whose token it has', fix: `Add \`issuer\`, and ${error.message}.` })
    else if (error instanceof ProxyError)
      report(['principal'], {
        reason: `would be refused with any token (${error.code}: ${String(error.cause)})`,
        fix: 'Correct it.',
      })
    else throw error
    return undefined
  }
}

/** A name of something that is enforced, or not there, would never be among what is only tried. */
function checkTried({ would_deny: named }: RuleCase, { policy }: ServerPlan, report: ReportCase): void {
  const rules = policy.rules.flatMap(({ mode }, index) => (mode === 'shadow' ? [`rules[${index}]`] : []))
  const tried = policy.access?.mode === 'shadow' ? ['access', ...rules] : rules
  for (const [index, label] of (Array.isArray(named) ? named : []).entries())
    if (!tried.includes(label))
      report(['would_deny', index], {
        reason: 'is not in shadow mode on this server',
        fix: tried.length === 0 ? 'Remove it: nothing is.' : `Write one of ${tried.join(', ')}.`,
      })
}

const KINDS: readonly OperationKind[] = ['tool', 'prompt', 'resource', 'method']

function settleAsk(given: RuleCase): CaseOperation | CaseList {
  const { list, of = [], shows = [], args, expect = 'permit', scopes, would_deny: wouldDeny } = given
  if (list !== undefined) return { list: LISTED[list], of, shows }
  const kind = KINDS.find((one) => given[one] !== undefined) ?? 'method'
  const argsText = args === undefined || typeof args === 'string' ? args : JSON.stringify(args)
  return { operation: { kind, name: given[kind] ?? '', argsText }, expect, scopes, wouldDeny }
}

/** A message that the proxy would refuse to read never gets to the policy. */
function isReadable({ ask, server, circumstances }: SettledCase, { limits }: Plan, report: ReportCase): boolean {
  if (!('operation' in ask)) return true
  try {
    createQuestion(ask.operation, server, circumstances, limits)
    return true
  } catch (error) {
    if (!(error instanceof ProxyError)) throw error
    const reason = `the request cannot be read (${error.code}: ${String(error.cause)})`
    report([ask.operation.kind], { reason, fix: 'Correct it.' })
    return false
  }
}
