import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ConfigInput } from '../../src/config/schema/schema.ts'
import {
  type AuthorizationServer,
  type AuthorizationServerOptions,
  startAuthorizationServer,
} from '../../src/sandbox/authorization-server.ts'
import { BROKER_CLIENT, BROKER_CLIENT_ID, BROKER_CLIENT_SECRET } from './broker-stage.ts'
import { createCertificate } from './certificate.ts'
import { findFreePort } from './free-port.ts'
import { startTestProxy } from './proxy.ts'

/** What a broker over https needs, before it starts: others must know its origin and its certificate first. */
export interface TlsBroker {
  /** `https://localhost:<port>` */
  readonly origin: string
  readonly port: number
  /** PEM of its certificate, which is its own authority. */
  readonly ca: string
  readonly caFile: string
  /** Knows the broker. */
  readonly identityProvider: AuthorizationServer
  /** Writes a file that its configuration names. @returns the path */
  write(name: string, text: string): string
  start(parts: { readonly servers: ConfigInput['servers']; readonly clients?: object[]; readonly name?: string }): Promise<void>
  close(): Promise<void>
}

export async function prepareTlsBroker(options: AuthorizationServerOptions = {}): Promise<TlsBroker> {
  const folder = mkdtempSync(join(tmpdir(), 'tls-broker-'))
  const write = (name: string, text: string) => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }
  const certificate = createCertificate()
  const tls = { cert_file: write('cert.pem', certificate.cert), key_file: write('key.pem', certificate.key) }
  const port = await findFreePort()
  const origin = `https://localhost:${port}`
  const known = { ...BROKER_CLIENT, application_type: 'web' as const, redirect_uris: [`${origin}/oauth/callback`] }
  const identityProvider = await startAuthorizationServer({ clients: [known], ...options })
  let stop: (() => Promise<void>) | undefined

  return {
    origin,
    port,
    ca: certificate.cert,
    caFile: tls.cert_file,
    identityProvider,
    write,
    async start({ servers, clients = [], name }) {
      const { issuer } = identityProvider
      const secret = { env: 'BROKER_SECRET' }
      const config = {
        public_url: origin,
        listen: { port, tls },
        identity_provider: { issuer, client_id: BROKER_CLIENT_ID, client_secret: secret, ...(name !== undefined && { name }) },
        broker: { store: { kind: 'memory' }, clients },
        servers,
      }
      const proxy = await startTestProxy(config as ConfigInput, { BROKER_SECRET: BROKER_CLIENT_SECRET })
      stop = () => proxy.close()
    },
    async close() {
      await stop?.()
      await identityProvider.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
