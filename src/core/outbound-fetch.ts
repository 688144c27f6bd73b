import { channel } from 'node:diagnostics_channel'

/** A request of our own to another host, as it is told to tracing. It has no query, no header and no body: they hold tokens. */
export interface OutboundFetch {
  readonly method: string
  /** Where it goes; undefined where a client named the URL, which tells who the client is. */
  readonly target: { readonly url: string; readonly host: string; readonly port: number } | undefined
  /** Set by the first that traces it. */
  trace: FetchTrace | undefined
}

/** The span of such a request. */
export interface FetchTrace {
  answer(status: number): void
  fail(error: unknown): void
}

/** One channel for all: fetches are made in many places, and those have no part in tracing. Without a listener nothing is made for it. */
const FETCHES = channel('open-mcp-auth-proxy.fetch')

/**
 * @param target - absolute; undefined where a client named it
 * @param send - the fetch; what it does is its own whatever listens
 */
export async function tellFetch<T extends { readonly status: number }>(
  method: string,
  target: URL | undefined,
  send: () => Promise<T>,
): Promise<T> {
  if (!FETCHES.hasSubscribers) return send()
  const fetch: OutboundFetch = { method, target: target && describeTarget(target), trace: undefined }
  FETCHES.publish(fetch)
  try {
    const answer = await send()
    fetch.trace?.answer(answer.status)
    return answer
  } catch (error) {
    fetch.trace?.fail(error)
    throw error
  }
}

/** @returns stops listening */
export function listenToFetches(onFetch: (fetch: OutboundFetch) => void): () => void {
  const listener = (message: unknown): void => onFetch(message as OutboundFetch)
  FETCHES.subscribe(listener)
  return () => FETCHES.unsubscribe(listener)
}

function describeTarget({ origin, pathname, hostname, port, protocol }: URL): OutboundFetch['target'] {
  const standard = protocol === 'https:' ? 443 : 80
  // An address of IPv6 has brackets in a URL only.
  const host = hostname.replace(/^\[|\]$/g, '')
  return { url: `${origin}${pathname}`, host, port: port === '' ? standard : Number(port) }
}
