import { lookup as dnsLookup } from 'node:dns'
import { Agent, type Dispatcher, request as sendRequest } from 'undici'
import { isObject } from '../core/is-object.ts'
import { parseExactJson } from '../core/json/exact-json.ts'
import { checkStrictJson } from '../core/json/strict-json.ts'
import { tellFetch } from '../core/outbound-fetch.ts'
import type { EgressPlan } from '../core/plan/egress-plan.ts'
import { createEgressConnector, type EgressConnector } from '../egress/connector.ts'
import { checkPublicLiteral, isSameHost, parseTarget } from './fetch-target.ts'
import { createIssuerPlace, type IssuerPlace } from './issuer-place.ts'
import { createNameServerResolver } from './name-servers.ts'
import { createLookup, createPublicAddressFinder, type ResolveHost } from './resolve-host.ts'

/** For whom we look things up, and where the operator lets us. */
export interface SafeFetchPlan {
  /** Issuer identifier: URLs that it names are on its own host or on the public internet. Undefined where the URLs come from clients. */
  readonly issuer: string | undefined
  /** Whether metadata may name private addresses although the issuer's own host is public. */
  readonly allowPrivateNetwork: boolean
  /** PEM text of additional certificate authorities. */
  readonly ca: string | undefined
  readonly egress: EgressPlan
  /** Whether paths there hold ids of clients or secrets, so that traces are not told of them. */
  readonly hidesPaths?: boolean | undefined
  /** Unix socket over which the addresses are reached that may be private ones; TCP without it. */
  readonly socket?: string | undefined
}

export interface OutboundRequest {
  /** Who named the URL: the configuration, or a document that the issuer published. */
  readonly namedBy: 'operator' | 'metadata'
  /** Form to post; without it the request is a GET. */
  readonly form?: URLSearchParams
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

/** A request whose response may have any status, for protocols that report errors by it. */
export interface RawRequest extends Omit<OutboundRequest, 'form'> {
  readonly method: 'GET' | 'POST' | 'PUT' | 'HEAD' | 'OPTIONS' | 'DELETE'
  readonly body?: string
  /** Milliseconds until the complete answer has to be there; 5000 unless given. */
  readonly deadlineMs?: number
  /** Returns a redirect as the response, for callers that report it. It is never followed. */
  readonly showRedirects?: boolean
  /** Whether what has come of the body is all that is wanted: event streams have no end. */
  readonly isEnough?: (bytes: Buffer) => boolean
}

export interface RawAnswer {
  readonly status: number
  /** By lower-case name; several fields are joined. */
  readonly headers: Readonly<Record<string, string>>
  readonly bytes: Buffer
}

/** What came is no JSON object, or can be read in two ways. */
export class DocumentError extends Error {
  override readonly name = 'DocumentError'
}

export interface JsonAnswer {
  readonly document: Readonly<Record<string, unknown>>
  /** `Cache-Control` as received. */
  readonly cacheControl: string | undefined
}

/** The only way in which this proxy sends requests of its own. */
export interface SafeFetch {
  /**
   * Fetches a JSON object.
   *
   * @param url - absolute URL
   * @throws Error with the reason, without secrets; for any status but 200 as well
   */
  fetchJson(url: string, request: OutboundRequest): Promise<JsonAnswer>
  /**
   * Sends a request and returns the response unchanged. Redirects and compressed responses are refused.
   *
   * @throws Error with the reason, without secrets
   */
  fetchRaw(url: string, request: RawRequest): Promise<RawAnswer>
  close(): Promise<void>
}

const DEADLINE_MS = 5_000
const MAX_BODY_BYTES = 512 * 1024
const MAX_JSON_DEPTH = 32
/** `application/json` or a type with the suffix `+json` (RFC 6839 §3.1); parameters don't matter, JSON is UTF-8 (RFC 8259 §8.1). */
const JSON_MEDIA_TYPE = /^application\/(?:[\w.-]+\+)?json(?:$|[ \t]*;)/i

/**
 * Creates the outbound fetch for one issuer. TLS is always verified, redirects are never followed, and names are resolved once: the connection goes
 * to the address that was checked. Through an egress proxy, too: it is given that address, but for hosts that the configuration names.
 *
 * @param plan - whose addresses may be private
 * @param resolver - for tests; otherwise `dns.lookup`, and only the name servers for names that clients choose
 */
export function createSafeFetch(plan: SafeFetchPlan, resolver?: ResolveHost): SafeFetch {
  const place = createIssuerPlace(plan, resolver ?? dnsLookup)
  // Two pools: a request that may not reach private addresses must not reuse a connection to one.
  const anywhere = createAgent(plan, place.resolveHost, false, place.watch)
  const resolvePublic = resolver ?? (plan.issuer === undefined ? createNameServerResolver() : dnsLookup)
  const publicOnly = createAgent({ ca: plan.ca, egress: plan.egress }, resolvePublic, true)
  const send = async (url: string, target: URL, request: RawRequest): Promise<RawAnswer> => {
    const deadline = AbortSignal.timeout(request.deadlineMs ?? DEADLINE_MS)
    const isFree = request.namedBy === 'operator' || (await mayBePrivate(target, plan, place, deadline))
    if (!isFree) checkPublicLiteral(url, target)
    return exchange(target, request, isFree ? anywhere : publicOnly, deadline)
  }
  const fetchRaw = async (url: string, request: RawRequest): Promise<RawAnswer> => {
    const target = parseTarget(url, { ...plan, ...request })
    const isOfClient = plan.issuer === undefined
    const told = plan.hidesPaths === true ? new URL(target.origin) : target
    return tellFetch(request.method, isOfClient ? undefined : told, () => send(url, target, request))
  }
  return {
    fetchRaw,
    async fetchJson(url, { form, headers, ...request }) {
      const answer = await fetchRaw(url, {
        ...request,
        method: form === undefined ? 'GET' : 'POST',
        headers: { ...(form !== undefined && { 'content-type': 'application/x-www-form-urlencoded' }), ...headers },
        ...(form !== undefined && { body: form.toString() }),
      })
      return parseJsonAnswer(new URL(url), answer)
    },
    async close() {
      await Promise.all([anywhere.destroy(), publicOnly.destroy()])
    },
  }
}

/** An issuer, with the address at which its metadata is for us if browsers reach it by another one. */
export interface IssuerAddress extends Omit<SafeFetchPlan, 'issuer'> {
  readonly issuer: string
  readonly metadataUrl?: string | undefined
}

/**
 * Creates the fetch of what an issuer and its documents name: private addresses are permitted to it where it is reached at one.
 *
 * @param resolver - as of {@link createSafeFetch}
 */
export function createIssuerFetch(plan: IssuerAddress, resolver?: ResolveHost): SafeFetch {
  return createSafeFetch({ ...plan, issuer: plan.metadataUrl ?? plan.issuer }, resolver)
}

type Reach = Pick<SafeFetchPlan, 'ca' | 'egress' | 'socket'>

function createAgent(
  { ca, egress, socket }: Reach,
  resolveHost: ResolveHost,
  publicOnly: boolean,
  watch = (connect: EgressConnector): EgressConnector => connect,
): Agent {
  return new Agent({
    allowH2: false,
    connections: 64,
    maxHeaderSize: 16 * 1024,
    headersTimeout: DEADLINE_MS,
    bodyTimeout: DEADLINE_MS,
    connect: watch(
      createEgressConnector({
        egress,
        ca,
        socket,
        timeoutMs: DEADLINE_MS,
        lookup: createLookup(resolveHost, publicOnly),
        ...(publicOnly && { findAddresses: createPublicAddressFinder(resolveHost) }),
      }),
    ),
  })
}

/** Whether a URL that metadata named may lead into a private network. */
async function mayBePrivate(target: URL, plan: SafeFetchPlan, place: IssuerPlace, deadline: AbortSignal): Promise<boolean> {
  return plan.allowPrivateNetwork || isSameHost(target, plan.issuer) || (await place.isPrivate(deadline))
}

async function exchange(target: URL, request: RawRequest, dispatcher: Dispatcher, deadline: AbortSignal): Promise<RawAnswer> {
  const { body, method, signal, deadlineMs = DEADLINE_MS } = request
  try {
    const response = await sendRequest(target.href, {
      dispatcher,
      method,
      // The size limit counts received bytes; a compressed response could grow beyond it.
      headers: { accept: 'application/json', 'accept-encoding': 'identity', ...request.headers },
      body: body ?? null,
      headersTimeout: deadlineMs,
      bodyTimeout: deadlineMs,
      signal: signal === undefined ? deadline : AbortSignal.any([deadline, signal]),
    })
    return await readAnswer(target, response, request)
  } catch (error) {
    if (!deadline.aborted) throw error
    throw new Error(`${target.host}: no complete answer within ${deadlineMs / 1000} s`)
  }
}

async function readAnswer(
  target: URL,
  { statusCode, headers, body }: Dispatcher.ResponseData,
  { showRedirects, isEnough }: RawRequest,
): Promise<RawAnswer> {
  try {
    if (showRedirects !== true) refuseRedirect(target, statusCode, headers)
    refuseEncoding(target, headers)
    const bytes = await readBody(target, body, isEnough)
    const fields = Object.entries(headers).map(([name, value]) => [name, joinHeader(value) ?? ''])
    return { status: statusCode, headers: Object.fromEntries(fields), bytes }
  } finally {
    // The rest of a refused response does not matter, nor does an error in it.
    body.on('error', () => {}).destroy()
  }
}

function refuseRedirect(target: URL, status: number, { location }: Dispatcher.ResponseData['headers']): void {
  if (status < 300 || status >= 400 || location === undefined) return
  const where = `${target.host}${target.pathname}`
  throw new Error(`${where}: redirects to ${findHost(joinHeader(location), target)}, which is not followed`)
}

function refuseEncoding(target: URL, headers: Dispatcher.ResponseData['headers']): void {
  const encoding = joinHeader(headers['content-encoding']) ?? 'identity'
  if (encoding.toLowerCase() === 'identity') return
  throw new Error(`${target.host}${target.pathname}: compressed although identity was asked for`)
}

function parseJsonAnswer(target: URL, answer: RawAnswer): JsonAnswer {
  const { status, headers } = answer
  if (status !== 200) throw new Error(`${target.host}${target.pathname}: status ${status}`)
  return { document: readJsonObject(target, answer), cacheControl: headers['cache-control'] }
}

/**
 * Reads the JSON object that an answer holds, whatever its status.
 *
 * @param target - that answered, for the message of an error
 * @throws Error where it is no JSON object by its type or its body, or can be read in two ways
 */
export function readJsonObject(target: URL, { headers, bytes }: RawAnswer): Readonly<Record<string, unknown>> {
  if (!JSON_MEDIA_TYPE.test(headers['content-type'] ?? ''))
    throw new Error(`${target.host}${target.pathname}: not JSON by its Content-Type`)
  return parseDocument(target, bytes)
}

function findHost(location: string | undefined, base: URL): string {
  return URL.parse(location ?? '', base.href)?.host ?? 'nowhere'
}

function joinHeader(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(', ') : value
}

async function readBody(target: URL, body: AsyncIterable<Buffer>, isEnough?: RawRequest['isEnough']): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of body) {
    length += chunk.length
    if (length > MAX_BODY_BYTES) throw new Error(`${target.host}${target.pathname}: more than ${MAX_BODY_BYTES / 1024} KiB`)
    chunks.push(chunk)
    if (isEnough?.(Buffer.concat(chunks, length))) break
  }
  return Buffer.concat(chunks, length)
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function parseDocument(target: URL, bytes: Buffer): Record<string, unknown> {
  const where = `${target.host}${target.pathname}`
  try {
    const text = UTF8.decode(bytes)
    checkStrictJson(text, MAX_JSON_DEPTH)
    const document = parseExactJson(text)
    if (isObject(document)) return document
  } catch (cause) {
    throw new DocumentError(`${where}: not JSON`, { cause })
  }
  throw new DocumentError(`${where}: not a JSON object`)
}
