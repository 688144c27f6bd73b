import { ProxyError } from '../../../core/errors.ts'
import { isObject } from '../../../core/is-object.ts'
import { isDeeperThan } from '../../../core/json/shallow-outline.ts'
import { isModernRevision } from '../../../mcp/revision.ts'
import type { Spawner } from '../process/spawner.ts'
import { maxDepth } from '../wire/child-messages.ts'
import { metaKeys, modernRevision } from '../wire/modern-envelope.ts'
import { Channel } from './multiplexed-channel.ts'

/** Whether a server speaks 2026-07-28 or begins with `initialize` (2026-07-28, basic/versioning, Terminology). */
export type Era = 'modern' | 'legacy'

/** Milliseconds of silence after which a server is asked in the old way too. */
const patienceMilliseconds = 5000
/** Clients are told them, whatever a server says. */
const mostRevisions = 100
/** Characters that a server may say of itself: they are kept, and repeated to each client. */
const mostInitialized = 1024 * 1024
const bridgeInfo = { name: 'open-mcp-auth-proxy', version: '1' }
/** Errors by which a modern server is known even when it refuses. */
const modernErrors = new Set([-32020, -32021, -32022])

export interface Probed {
  readonly era: Era
  /** Revisions that a modern server says it speaks; undefined where it doesn't. */
  readonly revisions: readonly string[] | undefined
  /** The child that was asked, if it can still serve. */
  readonly channel: Channel | undefined
}

const silent = { message: () => undefined, ended: () => undefined }

/**
 * Finds out what a server speaks, as the specification has it: `server/discover` first, and whatever but a discovery or a modern error
 * comes back, it is legacy (2026-07-28, stdio, Backward Compatibility). A server that says nothing is asked to `initialize` as well; one
 * that ends over the question is started again and asked that alone.
 *
 * @param key - for whom the child is started
 * @throws ProxyError `upstream_ended`, `upstream_timeout`, `upstream_busy`
 */
export async function probeEra(spawner: Spawner, key: string, startMilliseconds: number): Promise<Probed> {
  const channel = await Channel.start(spawner, key, silent)
  let found: Found
  try {
    found = await within(startMilliseconds, ask(channel))
  } catch (error) {
    channel.giveUp(error)
    if (!(error instanceof ProxyError) || error.code !== 'upstream_ended') throw error
    return { ...(await probeByInitialize(spawner, key, startMilliseconds)), channel: undefined }
  }
  return { ...found, channel: channel.isOver ? undefined : channel }
}

export type Found = Omit<Probed, 'channel'>

const legacy: Found = { era: 'legacy', revisions: undefined }

async function ask(channel: Channel): Promise<Found> {
  const discovered = channel.ask('server/discover', { _meta: bridgeEnvelope }).then(readDiscovery)
  let timer: NodeJS.Timeout | undefined
  const silence = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), patienceMilliseconds)
  })
  const early = await Promise.race([discovered, silence]).finally(() => clearTimeout(timer))
  if (early !== undefined) return early
  // Having been asked in both ways, this child can't be used in either.
  const initialized = channel
    .ask('initialize', initializeParams({}, bridgeInfo))
    .then(({ result }) => (isObject(result) ? legacy : discovered))
  return Promise.race([discovered, initialized]).finally(() => channel.end())
}

function readDiscovery({ result, error }: Readonly<Record<string, unknown>>): Found {
  if (isObject(result) && Array.isArray(result.supportedVersions))
    return { era: 'modern', revisions: readRevisions(result.supportedVersions) }
  if (!isObject(error) || !modernErrors.has(error.code as number)) return legacy
  return { era: 'modern', revisions: isObject(error.data) ? readRevisions(error.data.supported) : undefined }
}

function readRevisions(list: unknown): string[] | undefined {
  const isRevision = (one: unknown): one is string => typeof one === 'string' && one.length <= 32
  return Array.isArray(list) ? list.filter(isRevision).slice(0, mostRevisions) : undefined
}

async function probeByInitialize(spawner: Spawner, key: string, milliseconds: number): Promise<Found> {
  const channel = await Channel.start(spawner, key, silent)
  try {
    // It may have ended by chance when it was asked the other thing: where it refuses, the next client asks again.
    readInitialized(await within(milliseconds, channel.ask('initialize', initializeParams({}, bridgeInfo))))
    return legacy
  } finally {
    channel.end()
  }
}

const bridgeEnvelope = {
  [metaKeys.protocolVersion]: modernRevision,
  [metaKeys.clientInfo]: bridgeInfo,
  [metaKeys.clientCapabilities]: {},
}

/** `params` of `initialize`, in the newest revision that has it. */
export function initializeParams(capabilities: unknown, clientInfo: unknown = bridgeInfo, protocolVersion = '2025-11-25') {
  return { protocolVersion, capabilities, clientInfo }
}

/**
 * `result` of `initialize`, which is repeated to clients and so must not be deeper than what can be written again.
 *
 * @throws ProxyError `upstream_invalid_response`
 */
export function readInitialized({ result }: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  if (!isObject(result)) throw new ProxyError('upstream_invalid_response', { cause: 'the server refuses to initialize' })
  if (isDeeperThan(maxDepth, result))
    throw new ProxyError('upstream_invalid_response', { cause: `what it says of itself is nested deeper than ${maxDepth}` })
  if (JSON.stringify(result).length > mostInitialized)
    throw new ProxyError('upstream_invalid_response', {
      cause: `what it says of itself is longer than ${mostInitialized} characters`,
    })
  // "If the client does not support the version in the server's response, it SHOULD disconnect" (2025-11-25, basic/lifecycle).
  if (typeof result.protocolVersion !== 'string' || isModernRevision(result.protocolVersion))
    throw new ProxyError('upstream_invalid_response', { cause: 'the server chose a protocol version that is unknown here' })
  return result
}

/**
 * Waits for an answer to what we ask ourselves.
 *
 * @param what - which of our questions it is, for the operator
 * @throws ProxyError `upstream_timeout`
 */
export async function within<T>(milliseconds: number, promise: Promise<T>, what = 'its first request'): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_, reject) => {
    const refuse = (): void =>
      reject(new ProxyError('upstream_timeout', { cause: `the server did not answer ${what}`, retryAfter: 2 }))
    timer = setTimeout(refuse, milliseconds)
  })
  return Promise.race([promise, timeout]).finally(() => clearTimeout(timer))
}
