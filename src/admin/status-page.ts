import { createHash } from 'node:crypto'
import { escapeHtml } from '../core/html.ts'
import type {
  AuditStatus,
  ErrorStatus,
  FailureStatus,
  ProxyStatus,
  ServerStatus,
  StoreStatus,
  UpstreamStatus,
} from '../core/proxy-status.ts'
import type { AdminPage } from './admin-listener.ts'

/** JSON, or a page for a person whose browser asks for one. @param accept - `Accept` of the request */
export function formatStatus(status: ProxyStatus, accept: string | undefined): AdminPage {
  if (prefersPage(accept ?? '')) return { type: 'text/html; charset=utf-8', text: renderStatus(status), headers: PAGE_HEADERS }
  return { type: 'application/json', text: JSON.stringify(status), headers: { vary: 'Accept' } }
}

/** Browsers name HTML first. Programs name JSON, or nothing. */
function prefersPage(accept: string): boolean {
  const [html, json] = [accept.indexOf('text/html'), accept.indexOf('application/json')]
  return html >= 0 && (json < 0 || html < json)
}

const STYLE =
  ':root{color-scheme:light dark}body{max-width:60rem;margin:2rem auto;padding:0 1rem;font:1rem/1.5 system-ui,sans-serif;overflow-wrap:anywhere}h1{font-size:1.35rem}h2{margin:2rem 0 .5rem;font-size:1.1rem}h3{margin:1rem 0 .25rem;font-size:1rem}dl{display:grid;grid-template-columns:minmax(7rem,auto) 1fr;gap:.15rem 1rem;margin:0}dt{opacity:.75}dd{margin:0}ul{margin:0;padding-left:1.25rem}.bad{color:light-dark(#a61b1b,#ff9c9c);font-weight:600}@media(max-width:30rem){dl{grid-template-columns:1fr}dd{margin-bottom:.4rem}}'
const STYLE_SOURCE = `'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`

/** No script, nothing from elsewhere, in no frame. */
const PAGE_HEADERS: NonNullable<AdminPage['headers']> = {
  'content-security-policy': `default-src 'none'; style-src ${STYLE_SOURCE}; form-action 'none'; base-uri 'none'; frame-ancestors 'none'`,
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  vary: 'Accept',
}

type Row = readonly [term: string, html: string | undefined]

function renderStatus(status: ProxyStatus): string {
  const { version, ready, state, issuers, servers, store, audit, last_errors: errors } = status
  const title = `Open MCP Auth Proxy ${escapeText(version)}`
  const sections = [
    renderRows(listProcessRows(status)),
    section('Servers', servers.map(renderServer).join('')),
    section('Issuers', issuers.map((issuer) => heading(issuer.issuer) + renderRows(listIssuerRows(issuer))).join('')),
    section('Store', renderRows(listStoreRows(store))),
    ...(audit === undefined ? [] : [section('Audit log', renderRows(listAuditRows(audit)))]),
    section('Last errors', errors.length === 0 ? '<p>None since the start.</p>' : `<ul>${errors.map(renderError).join('')}</ul>`),
  ]
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title><style>${STYLE}</style></head>
<body><main><h1>${title}</h1><p>${mark(state === 'serving' && ready, ready ? state : `${state}, not ready`)}</p>${sections.join('')}</main></body></html>
`
}

function listProcessRows({
  node,
  started_at: startedAt,
  uptime_seconds: uptime,
  configuration,
  body_room: room,
  deny_list: denied,
}: ProxyStatus): Row[] {
  return [
    ['Started', `${escapeText(startedAt)} (${formatAge(uptime)} ago)`],
    ['Node.js', escapeText(node)],
    ['Configuration', configuration.file === undefined ? undefined : escapeText(configuration.file)],
    ['Digest', `<code>${escapeText(configuration.digest)}</code>, loaded ${escapeText(configuration.loaded_at)}`],
    ['Memory for bodies', `${formatMiB(room.used_bytes)} of ${formatMiB(room.total_bytes)}, ${room.waiting} waiting`],
    [
      'Deny list',
      denied.read
        ? `${denied.entries} ${denied.entries === 1 ? 'entry' : 'entries'}`
        : mark(false, 'not read yet: no token is accepted'),
    ],
  ]
}

function renderServer({ name, open_streams: streams, open_calls: calls, upstreams }: ServerStatus): string {
  const own: Row[] = [['Open', `${streams} event streams, ${calls} calls`]]
  return heading(name) + renderRows([...own, ...upstreams.flatMap(listUpstreamRows)])
}

function listUpstreamRows(upstream: UpstreamStatus): Row[] {
  const failure: Row = ['Last failure', formatFailure(upstream.last_failure)]
  if (upstream.kind === 'http') {
    const circuit = mark(upstream.circuit === 'closed', WORDS[upstream.circuit])
    return [['Upstream', `${escapeText(upstream.address)}: ${circuit}`], failure]
  }
  const processes = upstream.processes.map(({ pid, age_seconds: age }) => `${pid} (${formatAge(age)})`).join(', ')
  return [
    ['MCP sessions', `${upstream.mcp_sessions}`],
    ['Processes', `${upstream.processes.length} of ${upstream.max_processes}${processes === '' ? '' : `: ${processes}`}`],
    failure,
  ]
}

const WORDS = {
  closed: 'no failure to connect now',
  open: 'cannot be reached, calls are refused at once',
  half_open: 'could not be reached, one call is trying',
} as const

function listIssuerRows({ keys_age_seconds: age, last_failure: failure }: ProxyStatus['issuers'][number]): Row[] {
  return [
    ['Keys', age === undefined ? mark(false, 'none') : `fetched ${formatAge(age)} ago`],
    ['Last failure', formatFailure(failure)],
  ]
}

function listStoreRows({ kind, reachable, last_failure: failure }: StoreStatus): Row[] {
  return [
    ['Kind', escapeText(kind)],
    ['Reachable', mark(reachable, reachable ? 'yes' : 'no')],
    ['Last failure', formatFailure(failure)],
  ]
}

function listAuditRows({ writable, lost_records: lost }: AuditStatus): Row[] {
  return [
    ['Writable', mark(writable, writable ? 'yes' : 'no')],
    ['Lost records', mark(lost === 0, `${lost}`)],
  ]
}

function renderError({ at, server, code, reason, request_id: id }: ErrorStatus): string {
  const what = [code, reason].filter((part) => part !== undefined).join(', ')
  const where = server === undefined ? '' : ` at ${escapeText(server)}`
  return `<li>${escapeText(at)}: <code>${escapeText(what)}</code>${where} (request ${escapeText(id)})</li>`
}

function section(title: string, html: string): string {
  return html === '' ? '' : `<h2>${title}</h2>${html}`
}

function heading(text: string): string {
  return `<h3>${escapeText(text)}</h3>`
}

/** Rows without a value are left out. */
function renderRows(rows: readonly Row[]): string {
  const there = rows.filter(([, html]) => html !== undefined)
  return `<dl>${there.map(([term, html]) => `<dt>${term}</dt><dd>${html}</dd>`).join('')}</dl>`
}

function formatFailure(failure: FailureStatus | undefined): string | undefined {
  return failure && `${escapeText(failure.at)}: ${escapeText(failure.cause)}`
}

function mark(isGood: boolean, text: string): string {
  return isGood ? escapeText(text) : `<span class="bad">${escapeText(text)}</span>`
}

/** Of others' texts, without what breaks, hides or reverses the text around it. */
function escapeText(text: string): string {
  return escapeHtml(text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\ufffd'))
}

function formatAge(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`
}

function formatMiB(bytes: number): string {
  return `${Math.round(bytes / (1024 * 1024))} MiB`
}
