import { isObject } from '../../../core/is-object.ts'
import { type ClientMessage, metaOf } from './client-messages.ts'
import { formatError } from './json-responses.ts'

/** The modern revision that is spoken here. */
export const MODERN_REVISION = '2026-07-28'

/** What clients of a legacy server can use over Streamable HTTP, newest first. */
export const BRIDGED_REVISIONS: readonly string[] = [MODERN_REVISION, '2025-11-25', '2025-06-18', '2025-03-26']

export const META_KEYS = {
  protocolVersion: 'io.modelcontextprotocol/protocolVersion',
  clientInfo: 'io.modelcontextprotocol/clientInfo',
  clientCapabilities: 'io.modelcontextprotocol/clientCapabilities',
  logLevel: 'io.modelcontextprotocol/logLevel',
  serverInfo: 'io.modelcontextprotocol/serverInfo',
  subscriptionId: 'io.modelcontextprotocol/subscriptionId',
} as const

export const UNSUPPORTED_VERSION = -32022

const LOG_LEVELS = new Set(['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency'])

/** The protocol fields of every modern request, in `_meta` (2026-07-28, basic/index, Per-request protocol fields). */
export interface Envelope {
  readonly protocolVersion: string
  readonly clientInfo: Readonly<Record<string, unknown>> | undefined
  readonly capabilities: Readonly<Record<string, unknown>>
  readonly logLevel: string | undefined
}

/** The envelope, or a description of what is wrong with it. */
export function readEnvelope(message: ClientMessage): Envelope | string {
  const meta = metaOf(message)
  const protocolVersion = meta[META_KEYS.protocolVersion]
  const clientInfo = meta[META_KEYS.clientInfo]
  const capabilities = meta[META_KEYS.clientCapabilities]
  const logLevel = meta[META_KEYS.logLevel]
  if (typeof protocolVersion !== 'string') return `${META_KEYS.protocolVersion} is missing`
  if (!isObject(capabilities)) return `${META_KEYS.clientCapabilities} is missing or not an object`
  if (clientInfo !== undefined && !isImplementation(clientInfo)) return `${META_KEYS.clientInfo} lacks a name or a version`
  if (logLevel !== undefined && !(typeof logLevel === 'string' && LOG_LEVELS.has(logLevel)))
    return `${META_KEYS.logLevel} is not a level`
  return { protocolVersion, clientInfo, capabilities, logLevel }
}

/** @param id - in JSON; @param requested - the revision that the client speaks; @param supported - those that the server does */
export function formatUnsupported(id: string | undefined, requested: unknown, supported: readonly string[]): string {
  return formatError(id, UNSUPPORTED_VERSION, 'Unsupported protocol version', { supported, requested })
}

function isImplementation(value: unknown): value is Readonly<Record<string, unknown>> {
  return isObject(value) && typeof value.name === 'string' && typeof value.version === 'string'
}

/**
 * HTTP status of an answer: the specification names it for these errors (2026-07-28, streamable-http, Protocol Version Header and
 * Server Validation; basic/index, `_meta`). All others are answers like any.
 */
export function statusOfAnswer(value: Readonly<Record<string, unknown>>): number {
  const code = isObject(value.error) ? value.error.code : undefined
  if (code === -32601) return 404
  return code === -32020 || code === -32021 || code === UNSUPPORTED_VERSION ? 400 : 200
}
