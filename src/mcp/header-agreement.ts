import { ProxyError } from '../core/errors.ts'
import type { Operation } from '../core/operation.ts'
import type { ParsedBody } from './messages.ts'
import { isModernRevision } from './revision.ts'
import { methodsWithNameHeader } from './targets.ts'

/** The request headers that mirror the body (2026-07-28, streamable-http, Request Metadata). */
export interface McpHeaders {
  readonly protocolVersion: string | undefined
  readonly method: string | undefined
  readonly name: string | undefined
}

/**
 * Checks that the MCP headers say what the body says. From 2026-07-28 on they must be there; with an older revision they need not, but
 * what is there must agree all the same, since something behind us may act on it.
 *
 * @param revision - what the header section was read by
 * @throws ProxyError `header_mismatch`, `protocol_version_missing`
 */
export function checkHeaderAgreement(headers: McpHeaders, body: ParsedBody, revision: string): void {
  const modern = isModernRevision(revision)
  const [first] = body.operations
  if (!first) return
  checkVersion(headers, body, modern, first)
  if (body.isBatch) return checkNothingMirrored(headers)
  checkMethod(headers.method, first, modern)
  checkName(headers.name, first, modern)
}

function checkVersion(headers: McpHeaders, body: ParsedBody, modern: boolean, first: Operation): void {
  if (body.revision !== undefined) {
    if (headers.protocolVersion !== body.revision)
      throw mismatch('MCP-Protocol-Version differs from the protocol version of the body')
    return
  }
  // Notifications of 2026-07-28 need no `_meta`: "header requirements for notification POSTs are not defined by this revision".
  if (modern && first.kind === 'request') throw new ProxyError('protocol_version_missing')
}

/** A batch has no single method that a header could mirror. */
function checkNothingMirrored(headers: McpHeaders): void {
  if (headers.method !== undefined || headers.name !== undefined) throw mismatch('Mcp-Method or Mcp-Name beside a batch')
}

function checkMethod(header: string | undefined, operation: Operation, modern: boolean): void {
  if (header === undefined) {
    if (modern && operation.kind === 'request') throw mismatch('Mcp-Method is missing')
    return
  }
  if (header !== operation.method) throw mismatch('Mcp-Method differs from the method of the body')
}

function checkName(header: string | undefined, operation: Operation, modern: boolean): void {
  const mirrored = methodsWithNameHeader.has(operation.method)
  if (header === undefined) {
    if (modern && mirrored && operation.kind === 'request') throw mismatch('Mcp-Name is missing')
    return
  }
  const name = decodeHeaderValue(header)
  if (mirrored && name !== operation.target) throw mismatch('Mcp-Name differs from the name or URI of the body')
}

const sentinel = /^=\?base64\?(.*)\?=$/s

/**
 * Decodes a header value in the form of 2026-07-28, streamable-http, Value Encoding.
 *
 * @throws ProxyError `header_mismatch` for a value with characters outside visible ASCII, or whose Base64 or UTF-8 is not canonical
 */
export function decodeHeaderValue(value: string): string {
  const encoded = sentinel.exec(value)?.[1]
  if (encoded === undefined) {
    if (!/^[\x20-\x7e\t]*$/.test(value)) throw mismatch('a header value has characters that must be encoded')
    return value
  }
  const bytes = Buffer.from(encoded, 'base64')
  const text = bytes.toString('utf8')
  // Two spellings of one value would let two readers disagree: only the canonical one counts.
  if (bytes.toString('base64') !== encoded || !Buffer.from(text, 'utf8').equals(bytes))
    throw mismatch('a header value is not valid Base64 of UTF-8')
  return text
}

function mismatch(what: string): ProxyError {
  return new ProxyError('header_mismatch', { cause: what })
}
