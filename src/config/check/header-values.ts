import { formatHeaderValue } from '../derive/header-value.ts'
import { findHeaderNameMistake } from '../format/formats.ts'
import type { ConfigPath, Mistake } from '../problem/problem.ts'
import type { PartialConfig } from '../schema/partial-config.ts'
import type { UpstreamConfig } from '../schema/server.ts'
import { type HeaderValue, LITERAL_SECRET } from '../schema/values.ts'
import type { CheckContext } from './check-context.ts'

/** Headers of one connection (RFC 9110 §7.6.1) and of the message itself: what we make of them is no matter of configuration. */
const CONNECTION_HEADERS = new Set([
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'expect',
  'host',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** Headers with which client and MCP server talk to each other, or which tell the server who calls. */
const PROTOCOL_HEADERS = /^(?:accept|forwarded|last-event-id|mcp-.*|x-forwarded-.*)$/

/** Names whose values are secrets wherever they occur. */
const SECRET_HEADERS = /^(?:authorization|cookie)$|api-?key|token|secret|passw|credential/

/** Checks the headers that an upstream gets from us. */
export function checkUpstreamHeaders(
  upstream: PartialConfig<UpstreamConfig>,
  forwardsToken: boolean,
  at: ConfigPath,
  context: CheckContext,
): void {
  const seen = new Set<string>()
  for (const [name, value] of Object.entries(upstream.headers ?? {})) {
    const lower = name.toLowerCase()
    const mistake = findNameMistake(lower, seen, forwardsToken) ?? findValueMistake(lower, value, context)
    if (mistake) context.report([...at, name], mistake)
    seen.add(lower)
  }
}

function findNameMistake(name: string, seen: ReadonlySet<string>, forwardsToken: boolean): Mistake | undefined {
  const mistake = findHeaderNameMistake(name)
  if (mistake) return mistake
  if (seen.has(name)) return { reason: 'is given twice; header names do not tell capitals apart', fix: 'Remove one of the two.' }
  const own = findOwnHeaderMistake(name)
  if (own) return own
  if (name !== 'authorization' || !forwardsToken) return undefined
  return {
    reason:
      'cannot be set while `forward_access_token` or `credential` gives the MCP server a token of its caller: it can get one of the two only',
    fix: 'Remove the header, or the other key.',
  }
}

/** Headers that the proxy makes itself, or that client and MCP server need. @param name - lower case */
export function findOwnHeaderMistake(name: string): Mistake | undefined {
  if (CONNECTION_HEADERS.has(name))
    return { reason: 'belongs to the connection or the body, which the proxy makes itself', fix: 'Remove it.' }
  if (PROTOCOL_HEADERS.test(name)) return { reason: 'belongs to the talk between client and MCP server', fix: 'Remove it.' }
  return undefined
}

function findValueMistake(
  name: string,
  value: PartialConfig<HeaderValue> | undefined,
  { secretsAndFiles }: CheckContext,
): Mistake | undefined {
  if (value?.text !== undefined && SECRET_HEADERS.test(name)) return LITERAL_SECRET
  const text = value && formatHeaderValue(value, secretsAndFiles.findSecret(value))
  if (text === undefined || /^[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?$/.test(text)) return undefined
  return {
    reason: 'has a value that no header can have (empty, line breaks, other control characters, or blanks at an end)',
    fix: 'Correct the value where it comes from.',
  }
}
