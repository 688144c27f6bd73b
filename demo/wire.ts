/** A request that the client sent, and what came back. */
export interface Exchange {
  readonly method: string
  readonly url: string
  readonly requestHeaders: Headers
  readonly requestBody: string
  readonly status: number
  readonly statusText: string
  readonly headers: Headers
  /** The answer's body; empty for event streams, which are not read here. */
  readonly body: string
}

export interface Wire {
  /** Give this to a client instead of `fetch`. */
  readonly fetch: (url: string | URL, init?: RequestInit) => Promise<Response>
  /**
   * The first exchange with these that was not taken yet.
   *
   * @throws Error when the client sent no such request
   */
  take(method: string, url: string): Exchange
  /** Forgets what was not taken. */
  clear(): void
}

/** Listens in on a client, so that one can see what really went over the wire. */
export function createWire(): Wire {
  const exchanges: Exchange[] = []
  return {
    fetch: async (url, init) => {
      const request = new Request(url, init)
      const response = await fetch(url, init)
      exchanges.push({
        method: request.method,
        url: request.url,
        requestHeaders: request.headers,
        requestBody: typeof init?.body === 'string' || init?.body instanceof URLSearchParams ? String(init.body) : '',
        status: response.status,
        statusText: response.statusText,
        headers: response.headers,
        body: isEventStream(response) ? '' : await response.clone().text(),
      })
      return response
    },
    take: (method, url) => {
      const index = exchanges.findIndex((exchange) => exchange.method === method && exchange.url === url)
      const [found] = index < 0 ? [] : exchanges.splice(index, 1)
      if (found === undefined) throw new Error(`the client should have sent ${method} ${url}, and did not`)
      return found
    },
    clear: () => exchanges.splice(0),
  }
}

function isEventStream(response: Response): boolean {
  return response.headers.get('content-type')?.startsWith('text/event-stream') ?? false
}
