import { lookup } from 'node:dns/promises'
import { findAddressLiteral, isPublicAddress } from '../core/addresses.ts'
import { createHeldMemory } from '../core/held-memory.ts'
import type { EndpointPlan } from '../core/plan/server-plan.ts'
import type { HttpUpstreamPlan, StdioUpstreamPlan } from '../core/plan/upstream-plan.ts'
import { createSafeFetch, type RawAnswer, type RawRequest } from '../oauth/safe-fetch.ts'
import { findSlashTarget } from '../upstream/redirect.ts'
import { probeRevision } from '../upstream/stdio/channel/probe-revision.ts'
import { findProgramProblem } from '../upstream/stdio/process/find-program.ts'
import { Spawner } from '../upstream/stdio/process/spawner.ts'
import { describeFailure } from './failure.ts'
import { DISCOVER, DISCOVER_HEADERS, findRpcAnswer, INITIALIZE, MCP_HEADERS } from './initialize.ts'
import { type ItemsProbe, probeProcessItems } from './probe-items.ts'
import type { AnswerProbe } from './probe-public.ts'

const MAX_TIMER_MS = 2 ** 31 - 1

/** What an MCP server over HTTP answers. */
export interface HttpUpstreamProbe {
  /** To `initialize`, or to a GET of the event stream. */
  readonly first: AnswerProbe
  /** To `server/discover`, where `initialize` was not understood. */
  readonly discovery: AnswerProbe | undefined
  /** To the request of the other transport, where this one is not spoken there. */
  readonly other: AnswerProbe | undefined
  /** Address on the internet by which it can be reached without the proxy. */
  readonly publicAddress: string | undefined
  /** URL that differs by its final slash only, to which it redirects and which the proxy is configured to follow. */
  readonly followed: string | undefined
}

/** What an MCP server that is a process answers. */
export interface ProcessProbe {
  readonly problem: string | undefined
  readonly protocol: 'modern' | 'legacy' | undefined
  readonly stderr: readonly string[]
  /** Undefined where they were not asked for. */
  readonly items: ItemsProbe | undefined
}

/** Asks an MCP server over HTTP as the proxy would, with its headers. Never throws. */
export async function probeHttpUpstream(plan: HttpUpstreamPlan, kind: EndpointPlan['kind']): Promise<HttpUpstreamProbe> {
  const { url: issuer, ca, socket, egress } = plan
  const { fetchRaw, close } = createSafeFetch({ issuer, allowPrivateNetwork: true, ca, socket, egress })
  const ask = async (request: Omit<RawRequest, 'namedBy'>): Promise<AnswerProbe> => {
    try {
      const headers = { ...request.headers, ...plan.headers }
      return {
        kind: 'answer',
        answer: await fetchRaw(plan.url, { ...request, headers, namedBy: 'operator', showRedirects: true }),
      }
    } catch (error) {
      return describeFailure(error)
    }
  }
  try {
    // Where there is a socket, the host of the URL is a mere name.
    const publicAddress = socket === undefined ? await findPublicAddress(plan.url) : undefined
    const isStream = kind === 'sse'
    const first = await ask(isStream ? STREAM : FIRST)
    const followed = findFollowed(first, plan)
    if (followed !== undefined)
      return { ...(await probeHttpUpstream({ ...plan, url: followed, followSlashRedirects: false }, kind)), followed }
    if (!isStream) await endSession(first, ask)
    const discovery = !isStream && needsDiscovery(first) ? await ask(MODERN) : undefined
    const other = isElsewhere(first) ? await ask(isStream ? FIRST : STREAM) : undefined
    return { first, discovery, other, publicAddress, followed: undefined }
  } finally {
    await close()
  }
}

const isEnough = (bytes: Buffer) => bytes.length > 65_536 || findRpcAnswer(bytes.toString('utf8')) !== undefined
const FIRST = { method: 'POST', headers: MCP_HEADERS, body: INITIALIZE, isEnough } as const
const MODERN = { method: 'POST', headers: DISCOVER_HEADERS, body: DISCOVER, isEnough } as const
/** The event that names the message endpoint comes first (2024-11-05 basic/transports). */
const STREAM = {
  method: 'GET',
  headers: { accept: 'text/event-stream' },
  isEnough: (bytes: Buffer) => bytes.length > 65_536 || /(?:\r\n|\n|\r){2}/.test(bytes.toString('utf8')),
} as const

/** Leaves nothing behind (2025-11-25 basic/transports, Session Management). */
async function endSession(
  first: AnswerProbe,
  ask: (request: Omit<RawRequest, 'namedBy'>) => Promise<AnswerProbe>,
): Promise<void> {
  const session = first.kind === 'answer' ? first.answer.headers['mcp-session-id'] : undefined
  if (session === undefined) return
  await ask({
    method: 'DELETE',
    headers: { 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' },
    isEnough: () => true,
  })
}

/** A server of 2026-07-28 alone refuses `initialize`. */
function needsDiscovery(first: AnswerProbe): boolean {
  if (first.kind !== 'answer' || first.answer.status >= 500 || isRedirect(first.answer)) return false
  return findRpcAnswer(first.answer.bytes.toString('utf8'))?.result === undefined
}

function isElsewhere(first: AnswerProbe): boolean {
  return first.kind === 'answer' && [400, 404, 405, 406, 415].includes(first.answer.status)
}

/** Where the proxy would ask again (`follow_slash_redirects`). */
function findFollowed(first: AnswerProbe, { url, followSlashRedirects }: HttpUpstreamPlan): string | undefined {
  if (!followSlashRedirects || first.kind !== 'answer') return undefined
  const { origin, pathname, search } = new URL(url)
  const target = findSlashTarget(first.answer.status, first.answer.headers.location, `${pathname}${search}`, origin)
  return target === undefined ? undefined : `${origin}${target}`
}

export function isRedirect({ status }: RawAnswer): boolean {
  return status >= 300 && status < 400
}

async function findPublicAddress(url: string): Promise<string | undefined> {
  const { hostname } = new URL(url)
  const literal = findAddressLiteral(hostname)
  const addresses = literal === undefined ? await resolve(hostname) : [{ address: literal }]
  return addresses.find(({ address }) => isPublicAddress(address))?.address
}

const RESOLVE_MS = 5_000

/** The addresses of a name; none if it can't be resolved in time. */
async function resolve(hostname: string): Promise<{ address: string }[]> {
  const late = new Promise<never[]>((settle) => setTimeout(settle, RESOLVE_MS, []).unref())
  return Promise.race([lookup(hostname, { all: true }).catch(() => []), late])
}

/**
 * Starts an MCP server once and asks it what it speaks. Never throws; no process is left.
 *
 * @param lists - whether its lists are read as well
 */
export async function probeProcess(plan: StdioUpstreamPlan, lists: boolean): Promise<ProcessProbe> {
  const problem = findProgramProblem(plan)
  if (problem !== undefined) return { problem, protocol: undefined, stderr: [], items: undefined }
  const stderr: string[] = []
  const spawner = new Spawner({
    plan,
    name: 'doctor',
    memory: createHeldMemory(plan.maxMessageBytes),
    onStderr: (line) => void (stderr.length < 100 && stderr.push(line)),
    onEvent: () => undefined,
  })
  // The timers of the probe don't keep the process alive, and the command has nothing else to wait for.
  const alive = setInterval(() => undefined, MAX_TIMER_MS)
  try {
    const startMs = plan.startSeconds * 1000
    const { protocol, channel } = await probeRevision(spawner, { key: 'doctor' }, startMs)
    const items = lists ? await probeProcessItems(spawner, protocol.kind, channel, startMs) : undefined
    return { problem: undefined, protocol: protocol.kind, stderr, items }
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
    const what = cause instanceof Error ? cause.message : String(cause)
    return { problem: what, protocol: undefined, stderr, items: undefined }
  } finally {
    await spawner.close(1000)
    clearInterval(alive)
  }
}
