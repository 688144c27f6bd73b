import { createServer, type IncomingMessage, type ServerResponse, request as send } from 'node:http'
import { closeServer, listenOnLoopback } from '../../src/sandbox/listen.ts'

/** Answers a request itself and returns true, or lets it pass. */
export type Spoil = (request: IncomingMessage, response: ServerResponse) => boolean

/** What stands in front of a proxy: a load balancer that passes requests on, or does what load balancers do wrong. */
export interface Front {
  /** `http://localhost:<port>`. */
  readonly origin: string
  /** Where requests go from now on. */
  lead(origin: string): void
  /** What happens to requests before they go anywhere. */
  spoil(spoil: Spoil): void
  /** What becomes of the header fields of answers. */
  change(change: (headers: Record<string, string | string[] | undefined>) => void): void
  close(): Promise<void>
}

/** Starts a load balancer on 127.0.0.1. */
export async function startFront(): Promise<Front> {
  let target = ''
  let spoil: Spoil = () => false
  let change: Parameters<Front['change']>[0] = () => undefined
  const server = createServer((request, response) => {
    if (spoil(request, response)) return
    const { method, headers, url = '/' } = request
    const passed = send(new URL(url, target), { method, headers })
    passed.once('error', () => (response.headersSent ? response.destroy() : response.writeHead(502).end()))
    passed.once('response', (answer) => {
      const fields = { ...answer.headers }
      change(fields)
      response.writeHead(answer.statusCode ?? 500, fields)
      answer.pipe(response)
    })
    request.pipe(passed)
  })
  const port = await listenOnLoopback(server, 0)
  return {
    origin: `http://localhost:${port}`,
    lead: (origin) => {
      target = origin
    },
    spoil: (next) => {
      spoil = next
    },
    change: (next) => {
      change = next
    },
    close: () => closeServer(server),
  }
}
