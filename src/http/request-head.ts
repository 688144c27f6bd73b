import type { IncomingMessage } from 'node:http'
import { ProxyError, type ReasonOf } from '../core/errors.ts'
import { dropFields } from '../core/header-fields.ts'
import { findHeaderName, type HeaderName, mustNotBeHopByHop, PLACE_OF } from './header-names.ts'
import { parseTarget } from './target.ts'

/** The header section of a request, read so that there is one way to read it. */
export interface RequestHead {
  readonly method: string
  readonly path: string
  /** Without `?`; undefined when there is none. */
  readonly query: string | undefined
  /** `Host`, lower case; empty where there is none, as HTTP/1.0 permits. */
  readonly host: string
  /** Every `Authorization` value: none of several takes precedence. */
  readonly authorization: readonly string[]
  readonly origin: string | undefined
  readonly contentType: string | undefined
  readonly contentEncoding: string | undefined
  /** Whether a body was announced. */
  readonly hasBody: boolean
  /** Announced length in bytes; undefined when there is none or it isn't known in advance. */
  readonly contentLength: number | undefined
  /** Whether the client waits for `100 Continue` before it sends the body (RFC 9110 §10.1.1). */
  readonly expectsContinue: boolean
  readonly protocolVersion: string | undefined
  readonly mcpMethod: string | undefined
  readonly mcpName: string | undefined
  readonly mcpSessionId: string | undefined
  /** Names of the `Mcp-Param-*` fields, lower case. */
  readonly mcpParams: readonly string[]
  /** An MCP field that occurs more than once, lower case. The first value was read; the request must be refused. */
  readonly repeatedMcpField: string | undefined
  /** What may go on to the upstream: alternating lower-case names and values. */
  readonly forward: readonly string[]
}

const MAX_FIELDS = 100
const PLACE_COUNT = Object.keys(PLACE_OF).length
/** `Host` is `uri-host [":" port]` (RFC 9110 §7.2). */
const HOST_SYNTAX = /^(?:[a-z0-9._~-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?$/

/**
 * Reads the header section from the raw fields: `IncomingMessage.headers` keeps the first of two `Authorization` or `Host` fields and
 * joins others, and so hides what an upstream might see differently.
 *
 * @throws ProxyError `request_malformed`, `headers_too_many`
 */
export function readRequestHead(request: IncomingMessage): RequestHead {
  const { rawHeaders, httpVersion } = request
  if (rawHeaders.length > MAX_FIELDS * 2)
    throw new ProxyError('headers_too_many', { cause: `${rawHeaders.length / 2} header fields` })
  const fields = sortFields(rawHeaders)
  const host = readHost(fields.read[PLACE_OF.host], httpVersion)
  checkFraming(fields.read, httpVersion)
  const { path, query } = parseTarget(request.url ?? '', host)
  const length = fields.read[PLACE_OF['content-length']]
  return {
    method: request.method ?? '',
    path,
    query,
    host,
    authorization: fields.authorization,
    origin: fields.read[PLACE_OF.origin],
    contentType: fields.read[PLACE_OF['content-type']],
    contentEncoding: fields.read[PLACE_OF['content-encoding']],
    hasBody: fields.read[PLACE_OF['transfer-encoding']] !== undefined || (length !== undefined && length !== '0'),
    contentLength: length === undefined ? undefined : Number(length),
    expectsContinue: checkExpectation(fields.read[PLACE_OF.expect], httpVersion),
    protocolVersion: fields.read[PLACE_OF['mcp-protocol-version']],
    mcpMethod: fields.read[PLACE_OF['mcp-method']],
    mcpName: fields.read[PLACE_OF['mcp-name']],
    mcpSessionId: fields.read[PLACE_OF['mcp-session-id']],
    mcpParams: fields.params,
    repeatedMcpField: fields.repeated,
    forward: dropNamedInConnection(fields.forward, fields.read[PLACE_OF.connection]),
  }
}

/** "A server MUST respond with a 400 to any HTTP/1.1 request message that lacks a Host header field" (RFC 9112 §3.2). */
function readHost(field: string | undefined, httpVersion: string): string {
  if (field === undefined && httpVersion === '1.0') return ''
  const host = field?.toLowerCase()
  if (host === undefined || !isHost(host)) throw malformed('host_invalid', 'Host is missing or not a host')
  return host
}

type ReadFields = (string | undefined)[]

/** The host that the last request named: mostly the one that the next names too. */
let lastHost = ''

function isHost(host: string): boolean {
  if (host === lastHost && host !== '') return true
  if (!HOST_SYNTAX.test(host)) return false
  lastHost = host
  return true
}

interface Fields {
  readonly authorization: string[]
  /** By {@link PLACE_OF}. */
  readonly read: ReadFields
  readonly forward: string[]
  params: string[]
  repeated: string | undefined
}

const NO_PARAMS: string[] = []

function sortFields(rawHeaders: readonly string[]): Fields {
  const fields: Fields = { authorization: [], read: new Array(PLACE_COUNT), forward: [], params: NO_PARAMS, repeated: undefined }
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = findHeaderName(rawHeaders[i] ?? '', i >> 1)
    const value = rawHeaders[i + 1] ?? ''
    if (name.lower === 'authorization') fields.authorization.push(value)
    else if (name.fate === 'read') readField(fields, name, value)
    else if (name.fate === 'forward') fields.forward.push(name.lower, value)
    else if (name.fate === 'param') readParam(fields, name.lower, value)
    else if (name.fate === 'refuse') throw malformed('framing_ambiguous', `${name.lower} looks like a field that frames the body`)
  }
  return fields
}

function readField(fields: Fields, { lower, place, forwarded }: HeaderName, value: string): void {
  if (fields.read[place] !== undefined) return refuseSecond(fields, lower)
  fields.read[place] = value
  if (forwarded) fields.forward.push(lower, value)
}

function readParam(fields: Fields, lower: string, value: string): void {
  if (fields.params === NO_PARAMS) fields.params = [lower]
  else if (fields.params.includes(lower)) return refuseSecond(fields, lower)
  else fields.params.push(lower)
  fields.forward.push(lower, value)
}

/** MCP has its own error for its fields, with the id of the request, which is in the body: the caller must be authenticated first. */
function refuseSecond(fields: Fields, lower: string): void {
  if (!lower.startsWith('mcp-')) throw malformed('field_repeated', `more than one ${lower} field`)
  fields.repeated = lower
}

/**
 * Refuses requests that Node's parser accepts although two implementations could disagree on where the body ends (RFC 9112 §6.1, §6.3), and
 * protocol upgrades, which a guarded endpoint never makes.
 */
function checkFraming(read: ReadFields, httpVersion: string): void {
  if (httpVersion !== '1.1' && httpVersion !== '1.0') throw malformed('protocol_not_supported', `HTTP version ${httpVersion}`)
  const coding = read[PLACE_OF['transfer-encoding']]
  if (coding !== undefined) {
    if (coding.toLowerCase() !== 'chunked') throw malformed('framing_ambiguous', 'Transfer-Encoding other than chunked')
    if (httpVersion !== '1.1') throw malformed('framing_ambiguous', 'Transfer-Encoding in HTTP/1.0')
    if (read[PLACE_OF['content-length']] !== undefined)
      throw malformed('framing_ambiguous', 'both Transfer-Encoding and Content-Length')
  }
  if (read[PLACE_OF.upgrade] !== undefined) throw malformed('protocol_not_supported', 'Upgrade')
}

/**
 * HTTP/1.0 knows no interim responses, so a client of it does not wait for one (RFC 9110 §10.1.1).
 *
 * @throws ProxyError `expectation_failed` for anything but `100-continue`
 */
function checkExpectation(expect: string | undefined, httpVersion: string): boolean {
  if (expect === undefined) return false
  if (expect.toLowerCase() !== '100-continue')
    throw new ProxyError('expectation_failed', { cause: 'Expect other than 100-continue' })
  return httpVersion === '1.1'
}

function dropNamedInConnection(forward: string[], connection: string | undefined): string[] {
  if (connection === undefined || /^(?:keep-alive|close)$/i.test(connection)) return forward
  const named = new Set(connection.split(',').map((token) => token.trim().toLowerCase()))
  for (const name of named) {
    if (name !== '' && mustNotBeHopByHop(name)) throw malformed('connection_invalid', `Connection names ${name}`)
  }
  return dropFields(forward, named)
}

function malformed(reason: ReasonOf<'request_malformed'>, cause: string): ProxyError {
  return new ProxyError('request_malformed', { reason, cause })
}
