import { describeError } from '../core/describe-cause.ts'
import { isObject } from '../core/is-object.ts'
import type { HttpUpstreamPlan } from '../core/plan/upstream-plan.ts'
import { createSafeFetch, type RawAnswer, type RawRequest } from '../oauth/safe-fetch.ts'
import { answerWithin } from '../upstream/stdio/channel/answer-timeout.ts'
import { Channel } from '../upstream/stdio/channel/multiplexed-channel.ts'
import type { ServerProtocol } from '../upstream/stdio/channel/probe-revision.ts'
import type { ProcessSource } from '../upstream/stdio/process/server-process.ts'
import {
  DISCOVER,
  DISCOVER_HEADERS,
  findRpcAnswer,
  INITIALIZE,
  INITIALIZE_PARAMS,
  MCP_HEADERS,
  MODERN_META,
  type RpcAnswer,
} from './initialize.ts'
import { type AskServer, listItems, type ServerItems } from './list-items.ts'

/** What an MCP server lists, or why that is not known. */
export type ItemsProbe =
  | { readonly kind: 'items'; readonly items: ServerItems }
  | { readonly kind: 'failure'; readonly reason: string }

/** A list of a server may be long; more than this can't be read. */
const MAX_BYTES = 512 * 1024

type Post = (body: string, headers: Readonly<Record<string, string>>) => Promise<RawAnswer>

/**
 * Opens an MCP session of its own, reads all lists, and ends it. Never throws.
 *
 * @param token - an access token that the proxy would forward
 */
export async function probeHttpItems(plan: HttpUpstreamPlan, token: string | undefined): Promise<ItemsProbe> {
  const { url, ca, socket, egress } = plan
  const { fetchRaw, close } = createSafeFetch({ issuer: url, allowPrivateNetwork: true, ca, socket, egress })
  const send = (request: Pick<RawRequest, 'method' | 'headers' | 'body' | 'isEnough'>): Promise<RawAnswer> => {
    const headers = { ...request.headers, ...plan.headers, ...(token !== undefined && { authorization: `Bearer ${token}` }) }
    return fetchRaw(url, { ...request, headers, namedBy: 'operator' })
  }
  const post: Post = (body, headers) => send({ method: 'POST', headers, body, isEnough })
  try {
    const session = (await openLegacy(post)) ?? (await openModern(post))
    if (session === undefined) return { kind: 'failure', reason: 'it opens no MCP session' }
    const items = await listItems(session.ask, session.capabilities)
    if (session.id !== undefined)
      await send({ method: 'DELETE', headers: { ...MCP_HEADERS, 'mcp-session-id': session.id }, isEnough: () => true })
    return { kind: 'items', items }
  } catch (error) {
    return fail(error)
  } finally {
    await close()
  }
}

function fail(error: unknown): ItemsProbe {
  return { kind: 'failure', reason: error instanceof Error ? describeError(error) : String(error) }
}

const isEnough = (bytes: Buffer): boolean => bytes.length > MAX_BYTES || findRpcAnswer(bytes.toString('utf8')) !== undefined

/**
 * Reads all lists of a process. Never throws.
 *
 * @param asked - one that was asked what it speaks, and can still be asked
 * @param limitMs - for all of it
 */
export async function probeProcessItems(
  source: ProcessSource,
  protocol: ServerProtocol['kind'],
  asked: Channel | undefined,
  limitMs: number,
): Promise<ItemsProbe> {
  try {
    const channel =
      asked ?? (await Channel.start(source, { key: 'doctor' }, { message: () => undefined, ended: () => undefined }))
    const reading = protocol === 'modern' ? listModern(channel) : listLegacy(channel)
    return { kind: 'items', items: await answerWithin(source.clock, limitMs, reading, 'for its lists') }
  } catch (error) {
    return fail(error)
  }
}

async function listModern(channel: Channel): Promise<ServerItems> {
  const ask = askChannel(channel, { _meta: MODERN_META })
  return listItems(ask, (await ask('server/discover', {})).result?.capabilities)
}

async function listLegacy(channel: Channel): Promise<ServerItems> {
  const ask = askChannel(channel, {})
  const { result } = await ask('initialize', INITIALIZE_PARAMS)
  channel.tell('{"jsonrpc":"2.0","method":"notifications/initialized"}')
  return listItems(ask, result?.capabilities)
}

function askChannel(channel: Channel, always: Readonly<Record<string, unknown>>): AskServer {
  return async (method, params) => {
    const { result, error } = await channel.ask(method, { ...params, ...always })
    return { result: isObject(result) ? result : undefined, error: isObject(error) ? error : undefined }
  }
}

interface OpenSession {
  readonly id: string | undefined
  readonly capabilities: unknown
  readonly ask: AskServer
}

async function openLegacy(post: Post): Promise<OpenSession | undefined> {
  const answer = await post(INITIALIZE, MCP_HEADERS)
  const result = readAnswer(answer)?.result
  if (result === undefined) return undefined
  const id = answer.headers['mcp-session-id']
  const headers = {
    ...MCP_HEADERS,
    'mcp-protocol-version': String(result.protocolVersion),
    ...(id !== undefined && { 'mcp-session-id': id }),
  }
  await post('{"jsonrpc":"2.0","method":"notifications/initialized"}', headers)
  const ask: AskServer = async (method, params) => readOrThrow(method, await post(formatRequest(method, params), headers))
  return { id, capabilities: result.capabilities, ask }
}

async function openModern(post: Post): Promise<OpenSession | undefined> {
  const result = readAnswer(await post(DISCOVER, DISCOVER_HEADERS))?.result
  if (result === undefined) return undefined
  const ask: AskServer = async (method, params) => {
    const body = formatRequest(method, { ...params, _meta: MODERN_META })
    return readOrThrow(method, await post(body, { ...DISCOVER_HEADERS, 'mcp-method': method }))
  }
  return { id: undefined, capabilities: result.capabilities, ask }
}

function formatRequest(method: string, params: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ jsonrpc: '2.0', id: 2, method, params })
}

function readAnswer({ bytes }: RawAnswer): RpcAnswer | undefined {
  return findRpcAnswer(bytes.toString('utf8'))
}

function readOrThrow(method: string, answer: RawAnswer): RpcAnswer {
  const found = readAnswer(answer)
  if (found === undefined) throw new Error(`it does not answer ${method} (status ${answer.status})`)
  return found
}
