import { createServer } from 'node:https'
import { Agent, fetch as undiciFetch } from 'undici'
import { closeServer, listenOnLoopback } from '../../src/sandbox/listen.ts'
import { createCertificate } from './certificate.ts'

/** The place where a client publishes what it is (OAuth client ID metadata documents). */
export interface ClientMetadataServer {
  /** The client id: an https URL. */
  readonly clientId: string
  /** For an authorization server that shall find the document here: trusts the certificate and doesn't mind loopback addresses. */
  readonly fetch: typeof fetch
  /** PEM of the certificate that the place shows. */
  readonly ca: string
  /** How often the document was fetched. */
  fetches(): number
  close(): Promise<void>
}

/** Serves a client ID metadata document over TLS on a free port of 127.0.0.1. */
export async function startClientMetadataServer(metadata: Record<string, unknown>): Promise<ClientMetadataServer> {
  const certificate = createCertificate()
  let fetches = 0
  const server = createServer(certificate, (_request, response) => {
    fetches += 1
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify({ ...metadata, client_id: clientId }))
  })
  const port = await listenOnLoopback(server, 0)
  const clientId = `https://localhost:${port}/client.json`
  const dispatcher = new Agent({ connect: { ca: certificate.cert } })
  const fetchDocument = (url: string, init: object) =>
    undiciFetch(url, { ...init, headers: { accept: 'application/json' }, dispatcher })
  return {
    clientId,
    fetch: fetchDocument as unknown as typeof fetch,
    ca: certificate.cert,
    fetches: () => fetches,
    close: async () => {
      await dispatcher.close()
      await closeServer(server)
    },
  }
}
