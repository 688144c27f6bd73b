import type { Plan } from '../core/plan/plan.ts'
import type { EndpointPlan, ServerPlan } from '../core/plan/server-plan.ts'
import type { UpstreamPlan } from '../core/plan/upstream-plan.ts'
import { formatUpstreamAddress } from '../core/upstream-address.ts'
import { escapeControlCharacters } from '../doctor/untrusted-text.ts'
import { formatMatcher, listConditions, listNeeds, listOpened } from '../explain/policy-words.ts'
import { formatBlocks, formatTable } from './table.ts'
import { WIDTH, wrap } from './wrap.ts'

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
    server.issuers.length > 0 ? server.issuers.map((issuer) => issuer.issuer) : ['(access keys only)'],
    [...server.audiences],
    scopes,
  ]
}

/** Who may use what: the access entries of a plan, within 80 columns. Empty when there are none. */
export function formatAccess(plan: Plan): string[] {
  const rows = plan.servers.flatMap(({ name, policy: { access } }) => {
    const shadow = access?.mode === 'shadow' ? ['(shadow: not enforced)'] : []
    return (access?.entries ?? []).map((entry): Row => [[name], [...listConditions(entry), ...shadow], listOpened(entry)])
  })
  return formatPolicyTable(['SERVER', 'WHO', 'WHAT'], rows)
}

/** The rules of a plan: what operations need besides, within 80 columns. Empty when there are none. */
export function formatRules(plan: Plan): string[] {
  const rows = plan.servers.flatMap(({ name, policy }): Row[] => [
    ...policy.rules.map((rule): Row => {
      const needs = [...rule.scopes, ...listNeeds(rule)]
      return [[name], [formatMatcher(rule)], needs.length > 0 ? needs : ['(none)']]
    }),
    ...(policy.unlistedOperations === 'deny' ? [[[name], ['everything else'], ['(denied)']] as Row] : []),
  ])
  return formatPolicyTable(['SERVER', 'OPERATION', 'NEEDS'], rows)
}

type Row = readonly [server: readonly string[], left: readonly string[], right: readonly string[]]

/** Breaks cells between words, so that the table fits; further lines of a cell are indented. */
function formatPolicyTable(titles: readonly string[], rows: readonly Row[]): string[] {
  if (rows.length === 0) return []
  const ofServers = Math.max(...rows.map(([[name = '']]) => name.length), (titles[0] ?? '').length)
  const width = Math.max(MIN_CELL, Math.floor((WIDTH - ofServers - 4) / 2))
  const fold = (lines: readonly string[]) =>
    lines.flatMap((line) =>
      wrap(escapeControlCharacters(line), width - 2).map((part, index) => (index === 0 ? part : `  ${part}`)),
    )
  return formatTable(
    titles,
    rows.map(([server, left, right]) => [server, fold(left), fold(right)]),
  )
}

/** Characters that a cell has at least, however long the names of servers are. */
const MIN_CELL = 20

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
