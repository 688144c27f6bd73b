import type { Plan } from '../core/plan/plan.ts'
import type { EndpointPlan } from '../core/plan/server-plan.ts'
import type { HttpUpstreamPlan, StdioUpstreamPlan } from '../core/plan/upstream-plan.ts'
import { formatUpstreamAddress } from '../core/upstream-address.ts'
import { checkEndpoint, isEventStream } from '../mcp/endpoint-event.ts'
import type { RawAnswer } from '../oauth/safe-fetch.ts'
import type { Finding, Findings } from './finding.ts'
import { findRpcAnswer } from './initialize.ts'
import type { AnswerProbe } from './probe-public.ts'
import { type HttpUpstreamProbe, isRedirect, type ProcessProbe } from './probe-upstream.ts'
import { escapeControlCharacters, quoteUntrusted } from './untrusted-text.ts'

/** An MCP server over HTTP, as one endpoint uses it. */
export interface HttpUpstreamCase {
  readonly kind: EndpointPlan['kind']
  readonly upstream: HttpUpstreamPlan
  readonly probe: HttpUpstreamProbe
  /** What each request brings of its caller, which the doctor has none of, and what verifies it; undefined where it is nothing. */
  readonly brings: BroughtProof | undefined
}

/** What an MCP server can ask for in each request. */
export interface BroughtProof {
  /** `a token of the caller`. */
  readonly what: string
  /** What the verifier of the MCP server must be told; undefined where that is not known. */
  readonly verifier: string | undefined
}

/** Whether the MCP server answers, and answers as one. */
export function checkHttpUpstream(asked: HttpUpstreamCase, plan: Plan, about: Findings): Finding[] {
  const { probe, upstream } = asked
  const where = formatUpstreamAddress(upstream)
  const answers =
    probe.first.kind === 'failure'
      ? about.problem(
          'upstream_unreachable',
          `The MCP server (${where}) cannot be reached: ${probe.first.failure.reason}.`,
          probe.first.failure.fix,
        )
      : checkAnswer(asked, probe.first.answer, plan, about)
  return [answers, ...noteSlash(asked, about), ...noteAddress(probe, where, about)]
}

/** Each call is sent twice then. */
function noteSlash({ upstream, probe }: HttpUpstreamCase, about: Findings): Finding[] {
  if (probe.followed === undefined) return []
  return [
    about.warning(
      'upstream_slash',
      `The MCP server (${formatUpstreamAddress(upstream)}) redirects to the same path with or without a final slash. The proxy follows (\`follow_slash_redirects\`), so it sends each call twice.`,
      `Write \`${formatUpstreamKey({ ...upstream, url: probe.followed })}\`, and remove \`follow_slash_redirects\`.`,
    ),
  ]
}

function noteAddress({ publicAddress }: HttpUpstreamProbe, where: string, about: Findings): Finding[] {
  if (publicAddress === undefined) return []
  return [
    about.warning(
      'upstream_public',
      `The MCP server (${where}) has a public IP address (${publicAddress}). Attackers may reach it without going through the proxy.`,
      'Let only the proxy reach it: use a private network, a firewall, or a credential in `upstream.headers` that it requires.',
    ),
  ]
}

function checkAnswer(asked: HttpUpstreamCase, answer: RawAnswer, plan: Plan, about: Findings): Finding {
  const where = formatUpstreamAddress(asked.upstream)
  if (isRedirect(answer)) return explainRedirect(asked.upstream, answer, about)
  if (isPlanned(answer, asked, plan)) {
    return about.problem(
      'upstream_is_proxy',
      `The MCP server (${where}) is this proxy itself.`,
      'Write the address of the MCP server as `upstream`, not the public one.',
    )
  }
  if (answer.status === 401 || answer.status === 403) return explainRefusal(asked, answer, about)
  if (answer.status >= 500)
    return about.problem(
      'upstream_fails',
      `The MCP server (${where}) answers with status ${answer.status}.`,
      'Check its own log.',
    )
  if (/html/i.test(answer.headers['content-type'] ?? '') && !isSpoken(asked)) {
    return about.problem(
      'upstream_page',
      `${where} answers with a web page (status ${answer.status}), not with MCP.`,
      'Write the URL of the MCP endpoint itself, with its path (often /mcp). Remove a login page in front of it.',
    )
  }
  return asked.kind === 'sse' ? checkStream(asked, answer, about) : checkInitialize(asked, answer, about)
}

function isPlanned({ headers }: RawAnswer, { upstream }: HttpUpstreamCase, { publicUrl, servers }: Plan): boolean {
  const url = new URL(upstream.url)
  const own = servers.flatMap(({ endpoints }) => endpoints.map(({ resource }) => resource))
  return (
    (upstream.socket === undefined && own.includes(`${url.origin}${url.pathname}`)) ||
    (headers['www-authenticate'] ?? '').includes(`resource_metadata="${publicUrl}/`)
  )
}

/** The proxy follows no redirect (but for a final slash, if configured): it would carry its credential elsewhere (and 301 to 303 turn POST into GET). */
function explainRedirect(upstream: HttpUpstreamPlan, { status, headers }: RawAnswer, about: Findings): Finding {
  const { url } = upstream
  const where = formatUpstreamAddress(upstream)
  const from = new URL(url)
  const target = URL.parse(headers.location ?? '', url)
  if (target === null)
    return about.problem(
      'upstream_redirects',
      `The MCP server (${where}) redirects (status ${status}) without a target.`,
      'Correct the server.',
    )
  const to = escapeControlCharacters(`${target.origin}${target.pathname}`).slice(0, 200)
  const says = `The MCP server (${where}) redirects (status ${status}) to ${to}, and the proxy does not follow it.`
  const isSlash = target.host === from.host && target.pathname.replace(/\/$/, '') === from.pathname.replace(/\/$/, '')
  if (isSlash || (target.hostname === from.hostname && target.protocol !== from.protocol)) {
    return about.problem(
      'upstream_redirects',
      says,
      `Write \`${formatUpstreamKey({ ...upstream, url: to })}\`${isSlash ? ', or `follow_slash_redirects: true` beside it if the MCP server redirects some paths only' : ''}.`,
    )
  }
  return about.problem(
    'upstream_redirects',
    says,
    /login|auth|sign|sso|oauth/i.test(to)
      ? 'That looks like a login page: let the proxy in without it, or give it a credential in `upstream.headers`.'
      : 'Write the URL that answers itself as `upstream`.',
  )
}

function explainRefusal({ upstream, brings }: HttpUpstreamCase, { status, bytes, headers }: RawAnswer, about: Findings): Finding {
  const where = formatUpstreamAddress(upstream)
  if (/invalid (?:host|origin)/i.test(bytes.toString('utf8'))) return explainHost(where, status, about)
  if (brings !== undefined) {
    const told = brings.verifier === undefined ? '' : ` Its verifier needs ${brings.verifier}.`
    return about.skipped(
      'upstream_wants_token',
      `The MCP server (${where}) refuses requests without ${brings.what} (status ${status}), as it should: the proxy sends one with each call.${told} Its answer to a valid one is not checked.`,
    )
  }
  const asks = headers['www-authenticate']
  return about.problem(
    'upstream_wants_credential',
    `The MCP server (${where}) refuses the proxy (status ${status}${asks === undefined ? '' : `, it asks for ${quoteUntrusted(asks)}`}).`,
    'Switch off its own authentication, since the proxy does that, or give the proxy a credential for it: `upstream.headers`, as { env: NAME }.',
  )
}

/** The Python SDK among others guards against DNS rebinding. */
function explainHost(where: string, status: number, about: Findings): Finding {
  return about.problem(
    'upstream_refuses_host',
    `The MCP server (${where}) does not accept the host name of that URL (status ${status}).`,
    'Use 127.0.0.1 or localhost in `upstream`, or add the host to the allowed hosts of the MCP server (its DNS rebinding protection).',
  )
}

function isSpoken({ probe }: HttpUpstreamCase): boolean {
  return isDiscovered(probe.discovery) || (probe.other?.kind === 'answer' && probe.other.answer.status < 300)
}

function checkInitialize({ upstream, probe }: HttpUpstreamCase, answer: RawAnswer, about: Findings): Finding {
  const where = formatUpstreamAddress(upstream)
  const text = answer.bytes.toString('utf8')
  const result = findRpcAnswer(text)?.result
  if (answer.status < 300 && typeof result?.protocolVersion === 'string') {
    return about.ok('upstream', `The MCP server (${where}) answers \`initialize\`${describeServer(result)}.`)
  }
  if (isDiscovered(probe.discovery))
    return about.ok('upstream', `The MCP server (${where}) answers \`server/discover\` (2026-07-28).`)
  if (answer.status === 421 || /invalid host/i.test(text)) return explainHost(where, answer.status, about)
  if (isStream(probe.other)) {
    return about.problem(
      'upstream_is_sse',
      `${where} speaks HTTP+SSE (2024-11-05), not Streamable HTTP.`,
      `Write \`sse: { ${formatUpstreamKey(upstream)} }\` instead of \`upstream\`.`,
    )
  }
  if (answer.status === 404)
    return about.problem(
      'upstream_path',
      `The MCP server (${where}) has nothing at that path (status 404).`,
      'Write the URL of the MCP endpoint with its path; FastMCP uses /mcp.',
    )
  return explainOther(where, answer, about)
}

function explainOther(where: string, { status, bytes }: RawAnswer, about: Findings): Finding {
  const start = bytes.toString('utf8').slice(0, 120)
  return about.problem(
    'upstream_not_mcp',
    `${where} does not answer as an MCP server (status ${status}${start === '' ? '' : `, ${quoteUntrusted(start)}`}).`,
    'Write the URL of the MCP endpoint itself, and check the log of the MCP server.',
  )
}

function describeServer({ serverInfo, protocolVersion }: Readonly<Record<string, unknown>>): string {
  const name =
    typeof serverInfo === 'object' && serverInfo !== null && 'name' in serverInfo ? ` as ${quoteUntrusted(serverInfo.name)}` : ''
  return `${name} (${escapeControlCharacters(String(protocolVersion)).slice(0, 20)})`
}

function checkStream({ upstream, probe }: HttpUpstreamCase, answer: RawAnswer, about: Findings): Finding {
  const where = formatUpstreamAddress(upstream)
  if (isEventStream(answer.headers) && answer.status < 300) {
    const event = /(?:^|[\r\n])event: ?endpoint\r?\n?data: ?([^\r\n]*)/.exec(answer.bytes.toString('utf8'))?.[1]
    if (event === undefined)
      return about.problem(
        'upstream_no_endpoint',
        `${where} is an event stream that does not begin with the endpoint event.`,
        'If it is the stream of a Streamable HTTP server, write `upstream` and `path` instead of `sse`.',
      )
    return checkEndpointEvent(event, upstream, about)
  }
  if (
    probe.other !== undefined &&
    probe.other.kind === 'answer' &&
    findRpcAnswer(probe.other.answer.bytes.toString('utf8'))?.result !== undefined
  ) {
    return about.problem(
      'upstream_is_streamable',
      `${where} speaks Streamable HTTP, not HTTP+SSE.`,
      `Write \`path: /mcp\` and \`${formatUpstreamKey(upstream)}\` instead of \`sse\`.`,
    )
  }
  if (answer.status === 421) return explainHost(where, answer.status, about)
  if (answer.status === 404)
    return about.problem(
      'upstream_path',
      `The MCP server (${where}) has nothing at that path (status 404).`,
      'Write the URL of the event stream with its path; it is often /sse.',
    )
  return explainOther(where, answer, about)
}

function checkEndpointEvent(uri: string, upstream: HttpUpstreamPlan, about: Findings): Finding {
  const where = formatUpstreamAddress(upstream)
  try {
    checkEndpoint(uri, upstream.url)
    return about.ok('upstream', `The MCP server (${where}) opens its event stream.`)
  } catch {
    return about.problem(
      'upstream_endpoint_elsewhere',
      `The endpoint event of ${where} leads elsewhere: ${quoteUntrusted(uri)}.`,
      'Have the MCP server name a path, or the same origin as its stream (its own public URL setting).',
    )
  }
}

function isDiscovered(probe: AnswerProbe | undefined): boolean {
  if (probe?.kind !== 'answer' || probe.answer.status >= 300) return false
  return Array.isArray(findRpcAnswer(probe.answer.bytes.toString('utf8'))?.result?.supportedVersions)
}

function isStream(probe: AnswerProbe | undefined): boolean {
  return probe?.kind === 'answer' && probe.answer.status < 300 && isEventStream(probe.answer.headers)
}

/** How an upstream stands in the configuration. */
function formatUpstreamKey({ url, socket }: Pick<HttpUpstreamPlan, 'url' | 'socket'>): string {
  const where = formatUpstreamAddress({ url, socket: undefined })
  return socket === undefined ? `upstream: ${where}` : `upstream: { url: ${where}, socket: ${socket} }`
}

/** Whether the MCP server that is a process starts and answers. */
export function checkProcess(
  { problem, protocol, stderr }: ProcessProbe,
  { command, startSeconds }: StdioUpstreamPlan,
  about: Findings,
): Finding {
  const [program = ''] = command
  if (problem === undefined)
    return about.ok(
      'upstream',
      `The MCP server (\`${program}\`) starts and answers${protocol === 'modern' ? ' `server/discover`' : ''}.`,
    )
  const last = stderr.at(-1)
  return about.problem(
    'upstream_process',
    `The MCP server (\`${program}\`) cannot be used: ${escapeControlCharacters(problem).slice(0, 300)}.${last === undefined ? '' : ` Its last words: ${quoteUntrusted(last)}`}`,
    `Run the command by hand: it must answer with JSON lines on its standard output within ${startSeconds} s. Put the variables that it needs into \`upstream.env\`.`,
  )
}
