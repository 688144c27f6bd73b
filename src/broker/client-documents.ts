import { AsyncLocalStorage } from 'node:async_hooks'
import { ProxyError } from '../core/errors.ts'
import type { Clock } from '../oauth/clock.ts'
import { RefusedUrlError } from '../oauth/fetch-target.ts'
import { type JsonAnswer, type SafeFetch, StatusError } from '../oauth/safe-fetch.ts'
import { createDocumentTurns, NoTurnError } from './document-turns.ts'
import { listNetworks } from './networks.ts'
import { createAddressLimit } from './rate-limit.ts'

/**
 * Whether a URL can be a client id (client ID metadata documents, §3): https, with a path, and nothing that could be read in two ways.
 * The provider has checked for user information, fragments and dot segments.
 */
export function isWellFormedClientId(clientId: string): boolean {
  const url = URL.parse(clientId)
  return (
    url !== null &&
    url.href === clientId &&
    url.protocol === 'https:' &&
    url.pathname !== '/' &&
    url.search === '' &&
    url.port !== '0'
  )
}

/** Fetches what clients name: their metadata documents and keys. */
export interface ClientDocuments {
  /**
   * For the provider. Strangers learn the same from every failure that depends on what is there: that there was one.
   *
   * @throws ProxyError `client_unavailable`
   */
  readonly fetch: typeof fetch
  /** Runs what may need a document, on behalf of a client at that address. */
  askFor<T>(address: string, task: () => Promise<T>): Promise<T>
}

export interface ClientDocumentsOptions {
  readonly door: SafeFetch
  readonly clock: Clock
  /** URLs that the configuration names: they may lie anywhere, and have turns of their own. */
  readonly named: ReadonlySet<string>
}

/** How long an answer serves for further requests: the provider keeps few, and strangers could push out the others. */
const ANSWER_MS = 5_000
/** A URL is asked no more often, whatever came of it. */
const INTERVAL_MS = 1_000
/** New URLs of one host in a minute: of all clients, and of one client network. */
const HOST_PER_MINUTE = 120
const ASKER_PER_MINUTE = 20
const MOST_REMEMBERED = 1_000
/** Longest document that serves for further requests, in UTF-16 units of JSON. */
const MOST_KEPT = 16 * 1024

type Fetched = Promise<JsonAnswer>

/** What was asked of a URL last. */
interface Last {
  readonly at: number
  readonly answer: JsonAnswer | undefined
}

export function createClientDocuments({ door, clock, named }: ClientDocumentsOptions): ClientDocuments {
  const askers = new AsyncLocalStorage<string>()
  const admit = createAdmission(clock)
  const turns = createDocumentTurns(() => clock.monotonic())
  const running = new Map<string, Fetched>()
  const last = createRecent<Last>()
  const start = async (url: string): Fetched => {
    if (named.has(url)) return door.fetchJson(url, { namedBy: 'operator' })
    const asked = { host: new URL(url).host, asker: askers.getStore() ?? '' }
    return turns.take(asked, async (signal) => {
      admit.check(url, asked)
      return door.fetchJson(url, { namedBy: 'metadata', signal })
    })
  }
  const ask = async (url: string): Fetched => {
    try {
      const answer = await start(url)
      if (!named.has(url)) admit.remember(url)
      last.set(url, { at: clock.monotonic(), answer: isShort(answer) ? answer : undefined })
      return answer
    } catch (error) {
      // What was not asked, or not to the end, says nothing of the URL: it must not stand in the way of others who name it.
      if (!(error instanceof NoTurnError)) last.set(url, { at: clock.monotonic(), answer: undefined })
      throw error
    }
  }
  const load = (url: string): JsonAnswer | Fetched => {
    const joined = running.get(url)
    if (joined !== undefined) return joined
    const before = last.get(url)
    const age = before === undefined ? Number.POSITIVE_INFINITY : clock.monotonic() - before.at
    if (before?.answer !== undefined && age < ANSWER_MS) return before.answer
    if (age < INTERVAL_MS) throw new NoTurnError('it was asked a moment ago')
    const fetched = ask(url).finally(() => running.delete(url))
    running.set(url, fetched)
    return fetched
  }
  return {
    askFor: (address, task) => askers.run(listNetworks(address)[0], task),
    async fetch(input) {
      const url = String(input)
      try {
        return toResponse(await load(url))
      } catch (error) {
        return explainFailure(error, named.has(url))
      }
    },
  }
}

function toResponse({ document, cacheControl }: JsonAnswer): Response {
  return Response.json(document, { headers: cacheControl === undefined ? {} : { 'cache-control': cacheControl } })
}

/** Only a host that says so has no such document. Everything else may pass, and is not the client's fault. */
function explainFailure(error: unknown, isNamed: boolean): Response {
  if (!isNamed && error instanceof StatusError && (error.status === 404 || error.status === 410))
    return new Response(null, { status: error.status })
  if (error instanceof RefusedUrlError) throw error
  throw new ProxyError('client_unavailable', { cause: error, retryAfter: 2 })
}

function isShort({ document }: JsonAnswer): boolean {
  return JSON.stringify(document).length <= MOST_KEPT
}

/** Bounds how often hosts are asked for what was never there before. What was there is asked for as often as a URL can be. */
function createAdmission(clock: Clock) {
  const perHost = createAddressLimit(HOST_PER_MINUTE, clock)
  const perAsker = createAddressLimit(ASKER_PER_MINUTE, clock)
  const known = createRecent<true>()
  return {
    check(url: string, { host, asker }: { readonly host: string; readonly asker: string }): void {
      if (known.get(url) !== undefined) return
      // Of all ports together: whoever names one host under many would have us look for what is open there.
      const wait = perAsker.count(`${asker} ${host}`) ?? perHost.count(new URL(url).hostname)
      if (wait !== undefined) throw new NoTurnError(`${host} is asked too often, for ${wait} s more`)
    },
    remember: (url: string) => known.set(url, true),
  }
}

/** Remembers what was set last. */
function createRecent<T>() {
  const entries = new Map<string, T>()
  return {
    get: (key: string) => entries.get(key),
    set(key: string, value: T): void {
      entries.delete(key)
      entries.set(key, value)
      const [oldest] = entries.keys()
      if (entries.size > MOST_REMEMBERED && oldest !== undefined) entries.delete(oldest)
    },
  }
}
