import type { Call } from '../../../core/call.ts'
import { ProxyError } from '../../../core/errors.ts'
import { decodeHeaderValue } from '../../../mcp/header-agreement.ts'
import { within } from '../channel/probe-revision.ts'
import type { Ticket } from '../channel/ticket.ts'
import { findHeader } from '../wire/accept-header.ts'
import { createClientMessage, metaOf, paramsOf, readParam } from '../wire/client-messages.ts'
import { isObject, metaKeys } from '../wire/modern-envelope.ts'
import type { ModernRequest, ModernServer } from './modern-request.ts'

/** A parameter that clients repeat in a header (2026-07-28, streamable-http, Custom Headers from Tool Parameters). */
interface Declaration {
  /** Lower case, whole. */
  readonly header: string
  readonly path: readonly string[]
}

/** Milliseconds for which what a server said of its tools is relied on. */
const freshMilliseconds = 60_000
/** Milliseconds that it gets to say it. */
const patienceMilliseconds = 30_000
/** Pages of a list of tools, and principals whose tools are remembered. */
const mostPages = 100
const mostKeys = 1000

interface Listing {
  readonly at: number
  readonly tools: ReadonlyMap<string, readonly Declaration[]>
}

/**
 * Checks that headers which repeat parameters of a tool agree with them. Over HTTP a server does that itself; one behind standard streams
 * sees no headers, so it is done here, by what the server says of its tools.
 */
export class ParamHeaders {
  readonly #listings = new Map<string, Promise<Listing>>()

  /** @throws ProxyError `header_mismatch` */
  async check(call: Call, request: ModernRequest, server: ModernServer): Promise<void> {
    const { name } = paramsOf(request.message)
    const find = (listing: Listing) => listing.tools.get(String(name))
    const findFlaw = (declarations: readonly Declaration[]) =>
      declarations.length === 0 ? undefined : findMismatch(call, declarations, readParam(request.message, 'arguments'))
    const known = await this.#find(request, server, freshMilliseconds)
    const declarations = find(known)
    if (declarations && findFlaw(declarations) === undefined) return
    // The tool may have changed since, or be new.
    const fresh = find(await this.#find(request, server, declarations ? 0 : 1000)) ?? []
    const cause = findFlaw(fresh)
    if (cause !== undefined) throw new ProxyError('header_mismatch', { cause })
  }

  async #find(request: ModernRequest, server: ModernServer, longest: number): Promise<Listing> {
    const key = request.poolKey
    const known = await this.#listings.get(key)
    if (known && performance.now() - known.at <= longest) return known
    const loading = listTools(request, server)
    // What has failed is asked anew by the next call.
    loading.catch(() => this.#listings.get(key) === loading && this.#listings.delete(key))
    this.#listings.delete(key)
    if (this.#listings.size >= mostKeys) this.#listings.delete(this.#listings.keys().next().value as string)
    this.#listings.set(key, loading)
    return loading
  }
}

/** Asks the server for its tools, in the client's name. A server that doesn't tell has no such headers. */
async function listTools(request: ModernRequest, server: ModernServer): Promise<Listing> {
  const at = performance.now()
  const tools = new Map<string, readonly Declaration[]>()
  let cursor: unknown
  for (let page = 0; page < mostPages; page++) {
    const result = await ask(request, server, cursor)
    for (const tool of Array.isArray(result?.tools) ? result.tools : []) {
      if (isObject(tool) && typeof tool.name === 'string') tools.set(tool.name, findDeclarations(tool.inputSchema, []))
    }
    cursor = result?.nextCursor
    if (typeof cursor !== 'string') break
  }
  return { at, tools }
}

function ask(
  { message, ...request }: ModernRequest,
  server: ModernServer,
  cursor: unknown,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  const { progressToken: _token, [metaKeys.logLevel]: _level, ...meta } = metaOf(message)
  const value = {
    jsonrpc: '2.0',
    id: 0,
    method: 'tools/list',
    params: { _meta: meta, ...(cursor === undefined ? {} : { cursor }) },
  }
  const list = createClientMessage(JSON.stringify(value))
  const plain = { ...request.envelope, logLevel: undefined }
  return askWithin(server, { ...request, envelope: plain, message: list })
}

async function askWithin(server: ModernServer, request: ModernRequest): Promise<Readonly<Record<string, unknown>> | undefined> {
  let ticket: Ticket | undefined
  const answered = new Promise<Readonly<Record<string, unknown>>>((resolve, reject) => {
    const sink = {
      related: () => undefined,
      response: (_text: string, answer: Readonly<Record<string, unknown>>) => resolve(answer),
      failed: reject,
    }
    server.request(request, sink).then((given) => {
      ticket = given
    }, reject)
  })
  try {
    const { result } = await within(patienceMilliseconds, answered, 'a request for its tools')
    return isObject(result) ? result : undefined
  } catch (error) {
    ticket?.cancel('it took too long')
    throw error
  }
}

/** Declarations count on properties that a chain of `properties` leads to; a tool with others is none that clients can call. */
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
    if (value === undefined || value === null || typeof value === 'object') continue
    const sent = findHeader(call, header)
    if (sent === undefined) return `${header} is missing`
    if (!agrees(decode(sent), value)) return `${header} differs from the parameter ${path.join('.')}`
  }
  return undefined
}

/** Undefined for a value that is no canonical encoding of anything. */
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
