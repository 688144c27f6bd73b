import type { Plan } from '../core/plan/plan.ts'
import type { PolicyPlan, RulePlan } from '../core/plan/policy-plan.ts'
import type { EndpointPlan, ServerPlan } from '../core/plan/server-plan.ts'
import type { UpstreamPlan } from '../core/plan/upstream-plan.ts'
import { formatUpstreamAddress } from '../core/upstream-address.ts'
import { formatBlocks, formatTable } from './table.ts'

const TRANSPORTS: Readonly<Record<EndpointPlan['kind'], string>> = {
  streamable_http: 'Streamable HTTP',
  sse: 'HTTP+SSE, stream',
  messages: 'HTTP+SSE, messages',
}

const TITLES = ['PATH', 'SERVER', 'TRANSPORT', 'UPSTREAM', 'ISSUERS', 'AUDIENCE', 'SCOPES']

/**
 * The routes of a plan: path, transport, upstream, issuers, audience and scopes.
 *
 * @param columns - of the screen; without them, a line for each route, as long as it is
 * @returns what to write above, and the routes
 */
export function formatRoutes(plan: Plan, columns = Number.POSITIVE_INFINITY): { head: string; lines: string[] } {
  const rows = plan.servers.flatMap((server) => server.endpoints.map((endpoint) => formatRoute(endpoint, server)))
  const [head = '', ...lines] = formatTable(TITLES, rows)
  const isTooWide = [head, ...lines].some(({ length }) => length > columns)
  return isTooWide ? { head: 'ROUTES', lines: formatBlocks(TITLES, rows) } : { head, lines }
}

function formatRoute(endpoint: EndpointPlan, server: ServerPlan): string[][] {
  const scopes = server.policy.baseScopes.length > 0 ? [...server.policy.baseScopes] : ['(none)']
  return [
    [endpoint.path],
    [server.name],
    [TRANSPORTS[endpoint.kind]],
    [formatUpstream(endpoint.upstream)],
    server.issuers.map((issuer) => issuer.issuer),
    [...server.audiences],
    scopes,
  ]
}

/** The rules of a plan: which operations need which further scopes. Empty when there are none. */
export function formatRules(plan: Plan): string[] {
  const rows = plan.servers.flatMap(({ name, policy }) => [
    ...policy.rules.map((rule) => [[name], [formatMatcher(rule)], rule.scopes.length > 0 ? [...rule.scopes] : ['(none)']]),
    ...formatUnlisted(name, policy),
  ])
  return rows.length === 0 ? [] : formatTable(['SERVER', 'OPERATION', 'FURTHER SCOPES'], rows)
}

function formatMatcher(rule: RulePlan): string {
  const { scopes, ...matchers } = rule
  return Object.entries(matchers)
    .map(([kind, pattern]) => `${kind} ${pattern}`)
    .join(', ')
}

function formatUnlisted(name: string, policy: PolicyPlan): string[][][] {
  return policy.unlistedOperations === 'deny' ? [[[name], ['everything else'], ['(denied)']]] : []
}

/** Where a server is, or the program that is started. Its arguments may hold keys. */
function formatUpstream(upstream: UpstreamPlan): string {
  if (upstream.kind === 'http') return formatUpstreamAddress(upstream)
  return `process ${upstream.command[0]}${upstream.command.length > 1 ? ' …' : ''}`
}

/** What to tell people about each server: the URL for clients, the metadata URL, and the upstream. */
export function formatAddresses(plan: Plan): string[] {
  const rows = plan.servers.flatMap((server) =>
    server.endpoints
      .filter(({ kind }) => kind !== 'messages')
      .map(({ path, resource, upstream }) => [
        [server.name],
        ['for clients', 'metadata', 'upstream'],
        [resource, `${plan.publicUrl}/.well-known/oauth-protected-resource${path}`, formatUpstream(upstream)],
      ]),
  )
  return formatTable(['', '', ''], rows).slice(1)
}
