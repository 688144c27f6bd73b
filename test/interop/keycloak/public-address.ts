// The address of a server for browsers: a port of its own, from which everything goes on to where the server listens.
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { closeServer, listenOnLoopback } from '../../../src/sandbox/listen.ts'

export interface PublicAddress {
  readonly origin: string
  /** Paths that were asked for here. */
  readonly paths: Set<string>
  /** Says where the server listens. */
  leadTo(origin: string): void
  close(): Promise<void>
}

export async function openPublicAddress(): Promise<PublicAddress> {
  const paths = new Set<string>()
  let target = ''
  const server = createServer((incoming, response) => {
    paths.add(incoming.url?.split('?', 1)[0] ?? '')
    pass(incoming, response, target)
  })
  const origin = `http://localhost:${await listenOnLoopback(server, 0)}`
  return {
    origin,
    paths,
    leadTo(found) {
      target = found
    },
    close: () => closeServer(server),
  }
}

/** With the `Host` of the browser, as a load balancer or a published port of a container has it. */
function pass(incoming: IncomingMessage, response: ServerResponse, target: string): void {
  const { hostname, port } = new URL(target)
  const { method, url, headers } = incoming
  const outgoing = request({ hostname, port, method, path: url, headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.rawHeaders)
    answer.pipe(response)
  })
  outgoing.once('error', () => response.destroy())
  incoming.pipe(outgoing)
}
