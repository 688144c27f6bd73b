import { BoundedMap } from '../../../core/bounded-map.ts'
import type { Call } from '../../../core/call.ts'
import type { Clock } from '../../../core/clock.ts'
import { ProxyError } from '../../../core/errors.ts'
import { type MemoryShare, PART_FOR_WAITING } from '../../../core/held-memory.ts'
import { isObject } from '../../../core/is-object.ts'
import { decodeHeaderValue } from '../../../mcp/header-agreement.ts'
import { answerWithin } from '../channel/answer-timeout.ts'
import { whileQueued } from '../channel/channel-pool.ts'
import { cancelRequest } from '../channel/pending-request.ts'
import type { RequestSink } from '../channel/request-sink.ts'
import { findHeader } from '../wire/accept-header.ts'
import { createClientMessage, metaOf, paramsOf, readParam } from '../wire/client-messages.ts'
import { META_KEYS } from '../wire/modern-envelope.ts'
import { holdsManyValues } from '../wire/sparse-response.ts'
import { type ModernRequest, type ModernServer, measureQueued } from './modern-request.ts'

/** A parameter that clients repeat in a header (2026-07-28, streamable-http, Custom Headers from Tool Parameters). */
interface Declaration {
  /** Lower case, whole. */
  readonly header: string
  readonly path: readonly string[]
}

/** How long a list of tools is valid. */
const FRESH_MS = 60_000
/** How long a server may take to list its tools, from the time when its process was asked. */
const LIST_PATIENCE_MS = 30_000
/** Of a list of tools. */
const MAX_PAGES = 100
/** Lists that are remembered. */
const MAX_KEYS = 1000

interface Listing {
  readonly at: number
  readonly tools: Map<string, readonly Declaration[]>
  readonly memory: MemoryShare
  /** Bytes of `memory` that are taken. */
  bytes: number
}

/**
 * Checks that headers which repeat a tool's parameters agree with them. A server over HTTP does that itself. A stdio server sees no headers, so
 * it is done here, by the schemas of the server's tools.
 */
export class ParamHeaders {
  readonly #known = new BoundedMap<string, Listing>(MAX_KEYS, ({ memory, bytes }) => memory.give(bytes))
  readonly #loading = new Map<string, Promise<Listing>>()
  readonly #clock: Clock
  readonly #openMemory: (principalKey: string) => MemoryShare

  /** @param openMemory - opens the account for what is remembered for a principal */
  constructor(clock: Clock, openMemory: (principalKey: string) => MemoryShare) {
    this.#clock = clock
    this.#openMemory = openMemory
  }

  /** @throws ProxyError `header_mismatch` */
  async check(call: Call, request: ModernRequest, server: ModernServer): Promise<void> {
    const { name } = paramsOf(request.message)
    const find = (listing: Listing) => listing.tools.get(String(name))
    const findProblem = (declarations: readonly Declaration[]) =>
      declarations.length === 0 ? undefined : findMismatch(call, declarations, readParam(request.message, 'arguments'))
    const known = await this.#find(request, server, FRESH_MS)
    const declarations = find(known)
    if (declarations && findProblem(declarations) === undefined) return
    // The tool may be new, or have changed since.
    const fresh = find(await this.#find(request, server, declarations ? 0 : 1000)) ?? []
    const cause = findProblem(fresh)
    if (cause !== undefined) throw new ProxyError('header_mismatch', { reason: 'parameter_header_differs', cause })
  }

  /** Has to be called when the tools have changed. A list that is being loaded may be outdated, too. */
  forget(key: string): void {
    const known = this.#known.get(key)
    this.#known.delete(key)
    this.#loading.delete(key)
    known?.memory.give(known.bytes)
  }

  /**
   * Remembers the list of tools that a client has got, since its calls are based on it.
   *
   * @param isFirst - whether it is the first page
   */
  learn({ poolKey, principalKey }: ModernRequest, { result }: Readonly<Record<string, unknown>>, isFirst: boolean): void {
    this.forget(poolKey)
    if (!isFirst || !isObject(result) || !Array.isArray(result.tools) || typeof result.nextCursor === 'string') return
    const listing = createListing(this.#clock, this.#openMemory(principalKey))
    if (addTools(listing, result.tools)) this.#known.set(poolKey, listing)
    else listing.memory.give(listing.bytes)
  }

  async #find(request: ModernRequest, server: ModernServer, maxAgeMs: number): Promise<Listing> {
    const key = request.poolKey
    const known = this.#known.get(key)
    if (known && this.#clock.monotonic() - known.at <= maxAgeMs) return known
    return whileQueued(measureQueued(request), () => this.#loading.get(key) ?? this.#load(key, request, server))
  }

  #load(key: string, request: ModernRequest, server: ModernServer): Promise<Listing> {
    const listing = createListing(this.#clock, this.#openMemory(request.principalKey))
    const loading = listTools(this.#clock, listing, request, server)
    this.#loading.set(key, loading)
    const settle = (isWhole: boolean): void => {
      const isWanted = isWhole && this.#loading.get(key) === loading
      if (this.#loading.get(key) === loading) this.forget(key)
      if (isWanted) this.#known.set(key, listing)
      else listing.memory.give(listing.bytes)
    }
    loading.then(
      () => settle(true),
      () => settle(false),
    )
    return loading
  }
}

function createListing(clock: Clock, memory: MemoryShare): Listing {
  return { at: clock.monotonic(), tools: new Map(), memory, bytes: 0 }
}

/** Asks the server for its tools on behalf of the client. A server that does not list them has no such headers. */
async function listTools(clock: Clock, listing: Listing, request: ModernRequest, server: ModernServer): Promise<Listing> {
  let cursor: unknown
  for (let page = 0; page < MAX_PAGES; page++) {
    const result = await ask(clock, request, server, cursor)
    if (!addTools(listing, Array.isArray(result?.tools) ? result.tools : []))
      throw new ProxyError('upstream_busy', {
        reason: 'memory_full',
        cause: 'the server has more tools than there is memory for',
        retryAfter: 30,
      })
    cursor = result?.nextCursor
    if (typeof cursor !== 'string') break
  }
  return listing
}

/** @returns false when there is no memory for them */
function addTools(listing: Listing, tools: readonly unknown[]): boolean {
  for (const tool of tools) {
    if (!isObject(tool) || typeof tool.name !== 'string') continue
    const declarations = findDeclarations(tool.inputSchema, [])
    const bytes = sizeOf(tool.name, declarations)
    if (!listing.memory.take(bytes, PART_FOR_WAITING)) return false
    listing.bytes += bytes
    listing.tools.set(tool.name, declarations)
  }
  return true
}

/** The most bytes that a tool takes in a listing. */
function sizeOf(name: string, declarations: readonly Declaration[]): number {
  const strings = declarations.flatMap(({ header, path }) => [header, ...path])
  return [name, ...strings].reduce((sum, text) => sum + 2 * text.length + 100, 0)
}

function ask(
  clock: Clock,
  { message, ...request }: ModernRequest,
  server: ModernServer,
  cursor: unknown,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  const { progressToken: _token, [META_KEYS.logLevel]: _level, ...meta } = metaOf(message)
  const value = {
    jsonrpc: '2.0',
    id: 0,
    method: 'tools/list',
    params: { _meta: meta, ...(cursor === undefined ? {} : { cursor }) },
  }
  const list = createClientMessage(JSON.stringify(value))
  const plain = { ...request.envelope, logLevel: undefined }
  return askWithin(clock, server, { ...request, envelope: plain, message: list })
}

async function askWithin(
  clock: Clock,
  server: ModernServer,
  request: ModernRequest,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  const { promise: answered, resolve, reject } = Promise.withResolvers<Readonly<Record<string, unknown>>>()
  const sink: RequestSink = {
    kind: 'response',
    related: () => undefined,
    response: (text: string, answer: Readonly<Record<string, unknown>>) =>
      holdsManyValues(text) ? reject(unreadableTools()) : resolve(answer),
    failed: reject,
  }
  // The process may have to start first, which has a time limit of its own.
  const pending = await server.request(request, sink)
  try {
    const { result } = await answerWithin(clock, LIST_PATIENCE_MS, answered, 'a request for its tools')
    return isObject(result) ? result : undefined
  } catch (error) {
    cancelRequest(pending, 'it took too long')
    throw error
  }
}

/** Not all of it was read, so that the headers of its tools are not known. */
function unreadableTools(): ProxyError {
  return new ProxyError('upstream_invalid_response', {
    reason: 'message_unreadable',
    cause: 'a list of tools with too many values',
  })
}

/** Only declarations on properties that a chain of `properties` leads to are valid. Clients don't call tools with others. */
function findDeclarations(schema: unknown, path: readonly string[]): Declaration[] {
  if (!isObject(schema) || path.length > 16) return []
  const header = schema['x-mcp-header']
  const own = typeof header === 'string' && path.length > 0 ? [{ header: `mcp-param-${header.toLowerCase()}`, path }] : []
  const properties = isObject(schema.properties) ? Object.entries(schema.properties) : []
  return [...own, ...properties.flatMap(([name, property]) => findDeclarations(property, [...path, name]))]
}

function findMismatch(call: Call, declarations: readonly Declaration[], values: unknown): string | undefined {
  for (const { header, path } of declarations) {
    const value = path.reduce<unknown>((at, name) => (isObject(at) && Object.hasOwn(at, name) ? at[name] : undefined), values)
    if (value === undefined || typeof value === 'object') continue
    const sent = findHeader(call, header)
    if (sent === undefined) return `${header} is missing`
    if (!agrees(decode(sent), value)) return `${header} differs from the parameter ${path.join('.')}`
  }
  return undefined
}

/** Undefined for a value that is not a canonical encoding. */
function decode(value: string): string | undefined {
  try {
    return decodeHeaderValue(value)
  } catch {
    return undefined
  }
}

/** "Servers SHOULD compare the header value and the body value numerically" (2026-07-28, streamable-http, Server Validation). */
function agrees(sent: string | undefined, value: unknown): boolean {
  if (sent === undefined) return false
  if (typeof value === 'number') return /^-?\d+(?:\.\d+)?$/.test(sent) && Number(sent) === value
  return sent === String(value)
}
