import { ProxyError, type ReasonOf } from '../core/errors.ts'
import type { Operation } from '../core/operation.ts'
import type { ParsedBody } from './messages.ts'
import { isModernRevision } from './revision.ts'
import { METHODS_WITH_NAME_HEADER } from './targets.ts'

/** The request headers that mirror the body (2026-07-28, streamable-http, Request Metadata). */
export interface McpHeaders {
  readonly protocolVersion: string | undefined
  readonly method: string | undefined
  readonly name: string | undefined
}

/** Names of headers that are not forwarded. */
export type Unfounded = readonly ('mcp-method' | 'mcp-name')[]

const none: Unfounded = []

/**
 * Checks that the MCP headers say what the body says. From 2026-07-28 on they must be there and agree. Older revisions do not define
 * `Mcp-Method` and `Mcp-Name`, and some of their clients send values that differ from the body: those are not forwarded, so that no server
 * behind us acts on them.
 *
 * @param revision - the revision of the request
 * @returns names of headers that must not be forwarded
 * @throws ProxyError `header_mismatch`, `protocol_version_missing`
 */
export function checkHeaderAgreement(headers: McpHeaders, body: ParsedBody, revision: string): Unfounded {
  const modern = isModernRevision(revision)
  const [first] = body.operations
  if (first !== undefined) checkVersion(headers, body, modern, first)
  if (first === undefined || !modern) return findUnfounded(headers, body)
  checkMethod(headers.method, first)
  checkName(headers.name, first)
  return none
}

function checkVersion(headers: McpHeaders, body: ParsedBody, modern: boolean, first: Operation): void {
  if (body.revision !== undefined) {
    if (headers.protocolVersion !== body.revision)
      throw mismatch('header_differs', 'MCP-Protocol-Version differs from the protocol version of the body')
    return
  }
  // Notifications of 2026-07-28 need no `_meta`: "header requirements for notification POSTs are not defined by this revision".
  if (modern && first.kind === 'request') throw new ProxyError('protocol_version_missing')
}

/** A header is unfounded, too, where the body has nothing to compare it with: no body, a batch, a response or a call without a target. */
function findUnfounded({ method, name }: McpHeaders, { operations, isBatch }: ParsedBody): Unfounded {
  if (method === undefined && name === undefined) return none
  const only = isBatch ? undefined : operations[0]
  const isMethodFounded = method === undefined || method === only?.method
  const isNameFounded = name === undefined || (only?.target !== undefined && readHeaderValue(name).text === only.target)
  if (isMethodFounded) return isNameFounded ? none : ['mcp-name']
  return isNameFounded ? ['mcp-method'] : ['mcp-method', 'mcp-name']
}

function checkMethod(header: string | undefined, { kind, method }: Operation): void {
  if (header === undefined && kind === 'request') throw mismatch('header_missing', 'Mcp-Method is missing')
  if (header !== undefined && header !== method)
    throw mismatch('header_differs', 'Mcp-Method differs from the method of the body')
}

function checkName(header: string | undefined, operation: Operation): void {
  const mirrored = METHODS_WITH_NAME_HEADER.has(operation.method)
  if (header === undefined) {
    if (mirrored && operation.kind === 'request') throw mismatch('header_missing', 'Mcp-Name is missing')
    return
  }
  const name = decodeHeaderValue(header)
  if (mirrored && name !== operation.target) throw mismatch('header_differs', 'Mcp-Name differs from the name or URI of the body')
}

const SENTINEL = /^=\?base64\?(.*)\?=$/s

/**
 * Decodes a header value in the form of 2026-07-28, streamable-http, Value Encoding.
 *
 * @throws ProxyError `header_mismatch` for a value with characters outside visible ASCII, or whose Base64 or UTF-8 is not canonical
 */
export function decodeHeaderValue(value: string): string {
  const { text, problem } = readHeaderValue(value)
  if (text === undefined) throw mismatch('encoding_invalid', problem)
  return text
}

type Reading = { readonly text: string; readonly problem?: undefined } | { readonly text: undefined; readonly problem: string }

function readHeaderValue(value: string): Reading {
  const encoded = SENTINEL.exec(value)?.[1]
  if (encoded === undefined) {
    if (/^[\x20-\x7e\t]*$/.test(value)) return { text: value }
    return { text: undefined, problem: 'a header value has characters that must be encoded' }
  }
  const bytes = Buffer.from(encoded, 'base64')
  const text = bytes.toString('utf8')
  // With two spellings of one value, two readers could disagree: only the canonical one is accepted.
  if (bytes.toString('base64') === encoded && Buffer.from(text, 'utf8').equals(bytes)) return { text }
  return { text: undefined, problem: 'a header value is not valid Base64 of UTF-8' }
}

function mismatch(reason: ReasonOf<'header_mismatch'>, cause: string): ProxyError {
  return new ProxyError('header_mismatch', { reason, cause })
}
