import { createLimiter } from '../oauth/limiter.ts'
import type { SafeFetch } from '../oauth/safe-fetch.ts'

/** Documents that are fetched at the same time, and that may wait for it: strangers name them. */
const CONCURRENT = 8
const WAITING = 64
/** How long a URL that gave nothing is not asked again. */
const FAILED_MS = 15_000
const MOST_FAILED = 1000

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

/**
 * Fetches what clients name (their metadata documents and keys) through the one outbound door. Strangers learn the same from every
 * failure: that there was one.
 *
 * @param now - milliseconds, monotonic
 * @param named - URLs that the configuration names: they may lie anywhere
 */
export function createDocumentFetch(door: SafeFetch, now: () => number, named: ReadonlySet<string>): typeof fetch {
  const limiter = createLimiter(CONCURRENT, WAITING)
  const failed = new Map<string, number>()
  const remember = (url: string) => {
    failed.set(url, now() + FAILED_MS)
    const [oldest] = failed.keys()
    if (failed.size > MOST_FAILED && oldest !== undefined) failed.delete(oldest)
  }
  return async (input) => {
    const url = String(input)
    const namedBy = named.has(url) ? 'operator' : 'metadata'
    if (now() < (failed.get(url) ?? 0)) throw new Error('it failed a moment ago')
    try {
      const { document, cacheControl } = await limiter.run(() => door.fetchJson(url, { namedBy }))
      return Response.json(document, { headers: cacheControl === undefined ? {} : { 'cache-control': cacheControl } })
    } catch (error) {
      remember(url)
      throw error
    }
  }
}
