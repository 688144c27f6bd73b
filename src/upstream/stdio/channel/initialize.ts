import { ProxyError } from '../../../core/errors.ts'
import { isObject } from '../../../core/is-object.ts'
import { isDeeperThan } from '../../../core/json/shallow-outline.ts'
import { isModernRevision } from '../../../mcp/revision.ts'
import { MAX_DEPTH } from '../wire/child-messages.ts'
import type { Channel } from './multiplexed-channel.ts'

/** Characters that a server may say of itself: they are kept, and repeated to each client. */
const MAX_INITIALIZE_RESULT = 1024 * 1024

export const PROXY_INFO = { name: 'open-mcp-auth-proxy', version: '1' }

/** `params` of `initialize`, in the newest revision that has it. */
export function initializeParams(capabilities: unknown, clientInfo: unknown = PROXY_INFO, protocolVersion = '2025-11-25') {
  return { protocolVersion, capabilities, clientInfo }
}

/**
 * Sends `initialize`, unless the probe of the process has done that.
 *
 * @returns its response; undefined for a process that was initialized with other parameters
 */
export function initialize(channel: Channel, params: object): Promise<Readonly<Record<string, unknown>>> | undefined {
  const { handshake } = channel
  if (handshake === undefined) return channel.ask('initialize', params)
  return handshake.params === JSON.stringify(params) ? handshake.response : undefined
}

/**
 * Reads the response to `initialize`. Its result is repeated to clients, so it must not be deeper than what can be serialized again.
 *
 * @throws ProxyError `upstream_invalid_response`
 */
export function readInitializeResult({ result }: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  if (!isObject(result)) throw invalid('the server refuses to initialize')
  if (isDeeperThan(MAX_DEPTH, result)) throw invalid(`what it says of itself is nested deeper than ${MAX_DEPTH}`)
  if (JSON.stringify(result).length > MAX_INITIALIZE_RESULT)
    throw invalid(`what it says of itself is longer than ${MAX_INITIALIZE_RESULT} characters`)
  // "If the client does not support the version in the server's response, it SHOULD disconnect" (2025-11-25, basic/lifecycle).
  if (typeof result.protocolVersion !== 'string' || isModernRevision(result.protocolVersion))
    throw invalid('the server chose a protocol version that is unknown here')
  return result
}

function invalid(cause: string): ProxyError {
  return new ProxyError('upstream_invalid_response', { reason: 'initialize_invalid', cause })
}
