import { createServer } from 'node:http'
import { type ClientMetadata, type Configuration, Provider } from 'oidc-provider'
import { BROKER_PATHS } from '../../src/core/broker-paths.ts'
import { createSigningKey } from '../../src/sandbox/keys.ts'
import { closeServer, listenOnLoopback } from '../../src/sandbox/listen.ts'
import { createMemory } from '../../src/sandbox/memory.ts'

type Middleware = Parameters<Provider['use']>[0]

export interface PlainProviderOptions {
  readonly clients?: readonly ClientMetadata[]
  readonly features?: Configuration['features']
  readonly extraClientMetadata?: Configuration['extraClientMetadata']
  readonly fetch?: typeof fetch
  /** The workarounds to try; without them the library answers as it comes. */
  readonly middlewares?: readonly Middleware[]
}

/** oidc-provider as it comes, so that a test can see whether a workaround is still needed. */
export interface PlainProvider {
  readonly url: string
  readonly provider: Provider
  close(): Promise<void>
}

export async function startPlainProvider(options: PlainProviderOptions = {}): Promise<PlainProvider> {
  const { clients = [], features = {}, extraClientMetadata = {}, fetch, middlewares = [] } = options
  const server = createServer()
  const url = `http://localhost:${await listenOnLoopback(server, 0)}`
  const provider = new Provider(url, {
    clients: [...clients],
    jwks: { keys: [await createSigningKey('ES256')] },
    cookies: { keys: ['a key that signs the cookies of a test'] },
    routes: BROKER_PATHS.provider,
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
    extraClientMetadata,
    ...(fetch && { fetch }),
    adapter: createMemory().adapter,
    ttl: { ClientCredentials: 60 },
    features: { devInteractions: { enabled: false }, ...features },
  } as Configuration)
  for (const middleware of middlewares) provider.use(middleware)
  server.on('request', provider.callback())
  return { url, provider, close: () => closeServer(server) }
}

/** Posts a form to an endpoint of a provider. */
export async function postTo(
  url: string,
  form: Record<string, string>,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(url, { method: 'POST', body: new URLSearchParams(form), headers })
  const text = await response.text()
  return { status: response.status, body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) }
}
