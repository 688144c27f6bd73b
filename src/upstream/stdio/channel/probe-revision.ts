import type { Clock } from '../../../core/clock.ts'
import { ProxyError } from '../../../core/errors.ts'
import { isObject } from '../../../core/is-object.ts'
import type { ProcessOwner } from '../process/process-owner.ts'
import type { ProcessSource } from '../process/server-process.ts'
import { META_KEYS, MODERN_REVISION } from '../wire/modern-envelope.ts'
import { answerWithin } from './answer-timeout.ts'
import { initializeParams, PROXY_INFO, readInitializeResult } from './initialize.ts'
import { Channel } from './multiplexed-channel.ts'

/** Silence after which a server is also asked the legacy way. */
const DISCOVER_PATIENCE_MS = 5000
/** Clients are told the revisions, however many a server names. */
const MAX_REVISIONS = 100
const MAX_REVISION_LENGTH = 32
/** Error codes that only a modern server sends, even when it refuses. */
const MODERN_ERRORS = new Set([-32020, -32021, -32022])

/** What a server speaks: 2026-07-28 or later, or a revision that begins with `initialize` (2026-07-28, basic/versioning, Terminology). */
export type ServerProtocol = { readonly kind: 'legacy' } | { readonly kind: 'modern'; readonly revisions: readonly string[] }

export interface ProbeResult {
  readonly protocol: ServerProtocol
  /** The process that was asked, if it can still serve requests. */
  readonly channel: Channel | undefined
}

const LEGACY: ServerProtocol = { kind: 'legacy' }
const NO_EVENTS = { message: () => undefined, ended: () => undefined }

/**
 * Finds out what a server speaks, as the specification says: `server/discover` comes first, and a server that answers with anything but a
 * discovery or a modern error is legacy (2026-07-28, stdio, Backward Compatibility). A server that stays silent is asked to `initialize` as
 * well. One that ends over the question is started again, and asked to `initialize` only.
 *
 * @param owner - whom the process is started for
 * @param params - of `initialize`, where it is sent: if they are those of the first client, it can go on with that process
 * @throws ProxyError `upstream_ended`, `upstream_timeout`, `upstream_busy`
 */
export async function probeRevision(
  source: ProcessSource,
  owner: ProcessOwner,
  startMs: number,
  params: object = initializeParams({}),
): Promise<ProbeResult> {
  const channel = await Channel.start(source, owner, NO_EVENTS)
  let protocol: ServerProtocol
  try {
    protocol = await answerWithin(source.clock, startMs, ask(source, channel, params))
  } catch (error) {
    channel.giveUp(error)
    if (!(error instanceof ProxyError) || error.code !== 'upstream_ended') throw error
    return { protocol: await probeByInitialize(source, owner, startMs), channel: undefined }
  }
  return { protocol, channel: channel.isOver ? undefined : channel }
}

async function ask({ clock }: ProcessSource, channel: Channel, params: object): Promise<ServerProtocol> {
  const discovered = discover(channel).then(readDiscovery)
  const { promise: silence, resolve } = Promise.withResolvers<undefined>()
  const cancel = clock.after(DISCOVER_PATIENCE_MS, () => resolve(undefined))
  const early = await Promise.race([discovered, silence]).finally(cancel)
  return early ?? askBothWays(clock, channel, discovered, params)
}

/** A server that was only slow to start answers `server/discover` first, and its process can be used where it answered as one era does. */
async function askBothWays(
  clock: Clock,
  channel: Channel,
  discovered: Promise<ServerProtocol>,
  params: object,
): Promise<ServerProtocol> {
  const response = channel.ask('initialize', params)
  const initialized = response.then(({ result }) => (isObject(result) ? undefined : discovered))
  const protocol = await Promise.race([discovered, initialized])
  if (protocol?.kind === 'legacy') channel.handshake = { params: JSON.stringify(params), response }
  else if (protocol === undefined || !(await isRefused(clock, response))) channel.end()
  return protocol ?? LEGACY
}

/** Whether a server refuses to initialize, as modern servers do. One of both eras may speak the older one from then on. */
function isRefused(clock: Clock, response: Promise<Readonly<Record<string, unknown>>>): Promise<boolean> {
  return answerWithin(clock, DISCOVER_PATIENCE_MS, response).then(
    ({ error }) => error !== undefined,
    () => false,
  )
}

/**
 * Waits until a modern server has started: until it answers a request, whatever it says.
 *
 * @throws ProxyError `upstream_timeout`, `upstream_ended`, `upstream_busy`
 */
export async function awaitStart(clock: Clock, channel: Channel, startMs: number): Promise<void> {
  if (channel.hasAnswered) return
  try {
    await answerWithin(clock, startMs, discover(channel))
  } catch (error) {
    channel.giveUp(error)
    throw error
  }
}

function discover(channel: Channel): Promise<Readonly<Record<string, unknown>>> {
  return channel.ask('server/discover', { _meta: PROXY_ENVELOPE })
}

function readDiscovery({ result, error }: Readonly<Record<string, unknown>>): ServerProtocol {
  if (isObject(result) && Array.isArray(result.supportedVersions)) return modern(result.supportedVersions)
  if (!isObject(error) || !MODERN_ERRORS.has(error.code as number)) return LEGACY
  return modern(isObject(error.data) ? error.data.supported : undefined)
}

/** A modern server that names no revisions is taken to speak the first modern one. */
function modern(named: unknown): ServerProtocol {
  if (!Array.isArray(named)) return { kind: 'modern', revisions: [MODERN_REVISION] }
  return { kind: 'modern', revisions: named.filter(isRevision).slice(0, MAX_REVISIONS) }
}

function isRevision(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_REVISION_LENGTH
}

async function probeByInitialize(source: ProcessSource, owner: ProcessOwner, startMs: number): Promise<ServerProtocol> {
  const channel = await Channel.start(source, owner, NO_EVENTS)
  try {
    // The first process may have ended by chance. If this one refuses, the next client asks again.
    readInitializeResult(await answerWithin(source.clock, startMs, channel.ask('initialize', initializeParams({}))))
  } catch (error) {
    channel.giveUp(error)
    throw error
  }
  channel.end()
  return LEGACY
}

const PROXY_ENVELOPE = {
  [META_KEYS.protocolVersion]: MODERN_REVISION,
  [META_KEYS.clientInfo]: PROXY_INFO,
  [META_KEYS.clientCapabilities]: {},
}
