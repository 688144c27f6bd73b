import { createServer as createHttpServer, type IncomingMessage } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { connect, type Socket } from 'node:net'
import { closeServer, listenOnLoopback } from '../../src/sandbox/listen.ts'

/** A tunnel that was asked for. */
export interface TunnelRequest {
  /** Host and port, as in the request line. */
  readonly authority: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

/** An egress proxy that opens tunnels to ports of this machine, under names that no resolver knows. */
export interface EgressProxy {
  /** `http://localhost:<port>`, or https. */
  readonly url: string
  readonly port: number
  readonly routes: EgressProxyOptions['routes']
  /** Everything that was asked for, in order. */
  readonly tunnels: readonly TunnelRequest[]
  /** Requests that were no CONNECT: the target's headers and bodies would be readable here. */
  readonly others: readonly string[]
  /** Answers with these bytes instead of opening tunnels, and keeps the connection open; undefined: opens them again. */
  answerWith(bytes: string | undefined): void
  /** Cuts all tunnels, as for idling too long. */
  cut(): void
  /** Tunnels that are open now. */
  open(): number
  close(): Promise<void>
}

export interface EgressProxyOptions {
  /** Ports of 127.0.0.1, by authority: `mcp.example.test:80`. Others get 502. */
  readonly routes: Readonly<Record<string, number>>
  /** Credentials, `name:password`, without which there is 407. */
  readonly credentials?: string
  readonly certificate?: { readonly cert: string; readonly key: string }
}

export async function startEgressProxy({ routes, credentials, certificate }: EgressProxyOptions): Promise<EgressProxy> {
  const tunnels: TunnelRequest[] = []
  const others: string[] = []
  const sockets = new Set<Socket>()
  let bytes: string | undefined
  const expected = credentials === undefined ? undefined : `Basic ${Buffer.from(credentials).toString('base64')}`
  const onConnect = (request: IncomingMessage, client: Socket): void => {
    const authority = request.url ?? ''
    tunnels.push({ authority, headers: request.headers })
    client.on('error', () => client.destroy())
    sockets.add(client.once('close', () => sockets.delete(client)))
    if (bytes !== undefined)
      return void client
        .resume()
        .once('end', () => client.destroy())
        .write(bytes)
    if (expected !== undefined && request.headers['proxy-authorization'] !== expected) return refuse(client, 407)
    const port = routes[authority]
    if (port === undefined) return refuse(client, 502)
    const target = connect(port, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n')
      target.pipe(client).pipe(target)
    })
    target.on('error', () => (target.connecting ? refuse(client, 502) : client.destroy()))
    client.once('close', () => target.destroy())
  }
  const cut = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  const server = certificate === undefined ? createHttpServer() : createHttpsServer(certificate)
  server.on('connect', onConnect)
  server.on('request', (request, response) => {
    others.push(`${request.method} ${request.url}`)
    response.writeHead(400).end()
  })
  const port = await listenOnLoopback(server, 0)
  return {
    url: `${certificate === undefined ? 'http' : 'https'}://localhost:${port}`,
    port,
    routes,
    tunnels,
    others,
    answerWith(next) {
      bytes = next
    },
    open: () => sockets.size,
    cut,
    async close() {
      cut()
      await closeServer(server)
    },
  }
}

function refuse(client: Socket, status: number): void {
  client.end(`HTTP/1.1 ${status} No\r\nContent-Length: 0\r\n\r\n`)
}
