import { AsyncLocalStorage } from 'node:async_hooks'
import { isLoopbackHost } from '../../core/addresses.ts'
import { BoundedMap } from '../../core/bounded-map.ts'
import type { Clock } from '../../core/clock.ts'
import { ProxyError } from '../../core/errors.ts'
import { findClientKeysProblem } from '../../oauth/client-keys.ts'
import { RefusedUrlError } from '../../oauth/fetch-target.ts'
import { listNetworks } from '../../oauth/networks.ts'
import { DocumentError, type JsonAnswer, type SafeFetch } from '../../oauth/safe-fetch.ts'
import { createAddressLimit } from '../limits/rate-limit.ts'
import { type Asked, createDocumentTurns, NoTurnError } from './document-turns.ts'

/**
 * Whether a URL can be a client id (client ID metadata documents, §3): https, with a path, and nothing that could be read in two ways.
 * The provider has checked for user information, fragments and dot segments.
 */
export function isWellFormedClientId(clientId: string): boolean {
  const url = URL.parse(clientId)
  return url !== null && url.href === clientId && url.protocol === 'https:' && url.pathname !== '/' && url.port !== '0'
}

/** Fetches what clients name: their metadata documents and keys. */
export interface ClientDocuments {
  /**
   * For the provider library. Every failure that depends on the host looks the same to the client, so that it cannot probe our network.
   *
   * @throws ProxyError `client_unavailable`
   */
  readonly fetch: typeof fetch
  /** Runs what may need a document, on behalf of a client at that address. */
  askFor<T>(address: string, task: () => Promise<T>): Promise<T>
}

export interface ClientDocumentsOptions {
  readonly outboundFetch: SafeFetch
  /** Whether the outbound fetch reaches private networks and this machine. */
  readonly allowPrivateNetwork: boolean
  readonly clock: Clock
  /** URLs that the configuration names: they may lie anywhere, and have turns of their own. */
  readonly named: ReadonlySet<string>
}

/** New URLs of one host in a minute: of all clients, and of one client network. */
const HOST_PER_MINUTE = 300
const ASKER_PER_MINUTE = 60
/** Fetches of one URL that was fetched before or is configured: the provider caches few documents, and other clients can evict them. */
const URL_PER_MINUTE = 120
const MAX_REMEMBERED = 1_000

/** A request to us that may need documents. */
interface OneRequest {
  /** Network of the client. */
  readonly asker: string
  /** The provider looks for a client again to tell it of a failure: what failed then is not asked for twice. */
  readonly failures: Map<string, Error>
}

type Fetched = Promise<JsonAnswer>

export function createClientDocuments({
  outboundFetch,
  allowPrivateNetwork,
  clock,
  named,
}: ClientDocumentsOptions): ClientDocuments {
  const requests = new AsyncLocalStorage<OneRequest>()
  const admit = createAdmission(clock)
  const turns = createDocumentTurns(() => clock.monotonic())
  const running = new Map<string, Fetched>()
  const start = async (url: string): Fetched => {
    if (named.has(url)) {
      admit.checkAgain(url)
      return outboundFetch.fetchJson(url, { namedBy: 'operator' })
    }
    if (!allowPrivateNetwork && isLoopbackHost(new URL(url).hostname)) throw new RefusedUrlError('it names this machine')
    const asked = { host: new URL(url).host, asker: requests.getStore()?.asker ?? '' }
    return turns.take(asked, async (signal) => {
      admit.check(url, asked)
      const answer = await outboundFetch.fetchJson(url, { namedBy: 'metadata', signal })
      admit.remember(url)
      return answer
    })
  }
  const load = (url: string): Fetched => {
    const joined = running.get(url)
    if (joined !== undefined) return joined
    const fetched = start(url).finally(() => running.delete(url))
    running.set(url, fetched)
    return fetched
  }
  return {
    askFor: (address, task) => requests.run({ asker: listNetworks(address)[0], failures: new Map() }, task),
    async fetch(input) {
      const url = String(input)
      const isNamed = named.has(url)
      const failures = requests.getStore()?.failures
      const known = failures?.get(url)
      if (known !== undefined) throw known
      try {
        return toResponse(await load(url), isNamed)
      } catch (cause) {
        const failure = explainFailure(cause, isNamed)
        failures?.set(url, failure)
        throw failure
      }
    },
  }
}

function toResponse({ document, cacheControl }: JsonAnswer, isNamed: boolean): Response {
  const problem = isNamed ? undefined : findClientKeysProblem(document.keys)
  if (problem !== undefined) throw new DocumentError(`keys: ${problem}`)
  return Response.json(document, { headers: cacheControl === undefined ? {} : { 'cache-control': cacheControl } })
}

/** An error in a document is reported to the client. Why there is no document is not: that could show what is in our network. */
function explainFailure(error: unknown, isNamed: boolean): Error {
  const isOwnFault = error instanceof RefusedUrlError || error instanceof DocumentError
  if (isOwnFault && !isNamed) return error
  return new ProxyError('client_unavailable', { cause: error, retryAfter: 2 })
}

/** Bounds how often hosts are asked: together for what was never there before, and for each document that was. */
function createAdmission(clock: Clock) {
  const perHost = createAddressLimit(HOST_PER_MINUTE, clock)
  const perAsker = createAddressLimit(ASKER_PER_MINUTE, clock)
  const perUrl = createAddressLimit(URL_PER_MINUTE, clock)
  const known = new BoundedMap<string, true>(MAX_REMEMBERED)
  const refuse = (wait: number | undefined, url: string) => {
    if (wait !== undefined) throw new NoTurnError(`${new URL(url).host} is requested too often; retry after ${wait} s`)
  }
  const checkAgain = (url: string) => refuse(perUrl.count(url), url)
  return {
    checkAgain,
    check(url: string, { host, asker }: Asked): void {
      if (known.has(url)) return checkAgain(url)
      // For all ports together: a client that names many ports of a host could scan it through us.
      refuse(perAsker.count(`${asker} ${host}`) ?? perHost.count(new URL(url).hostname), url)
    },
    remember: (url: string): void => known.set(url, true),
  }
}
