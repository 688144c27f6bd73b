import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { ClientMetadata, JWK, Provider } from 'oidc-provider'
import { createSigningKey, type SigningAlgorithm } from './keys.ts'
import { closeServer, listenOnLoopback } from './listen.ts'
import { createMemory } from './memory.ts'
import { createProvider, type ProviderPlan } from './provider.ts'
import { approveAtOnce, handleSignIn, SIGN_IN_PATH } from './sign-in.ts'
import { SAMPLE_SCOPES, SAMPLE_USERS, type Scope, type User } from './users.ts'

export interface AuthorizationServerOptions {
  /** Port on 127.0.0.1; 0, the default, takes a free one. */
  readonly port?: number
  readonly users?: readonly User[]
  readonly scopes?: readonly Scope[]
  /** Scopes of a request that names none. Default: the first scope. */
  readonly defaultScopes?: readonly string[]
  /** Whether the default scopes are added to those that a request names, so that every user has something to grant. */
  readonly addDefaultScopes?: boolean
  /** Resource of a request that names none. Default: the only one, where there is but one. */
  readonly defaultResource?: string
  /** Resource identifiers that tokens can be asked for. More can follow: {@link AuthorizationServer.addResource}. */
  readonly resources?: readonly string[]
  /** Default: `jwt` (RFC 9068, `at+jwt`). */
  readonly accessTokenFormat?: 'jwt' | 'opaque'
  /** Default: `RS256`. */
  readonly algorithm?: SigningAlgorithm
  /** Default: 3600. */
  readonly accessTokenSeconds?: number
  /** Default: two weeks. */
  readonly refreshTokenSeconds?: number
  /** Seconds for which a refresh token that was used may be used again. Default: 10. */
  readonly refreshGraceSeconds?: number
  /** Clients registered beforehand. Those with a secret may introspect tokens. */
  readonly clients?: readonly ClientMetadata[]
  /** Name of a user who is signed in and consents without seeing a page. */
  readonly approveAs?: string
  /** Whether clients may make themselves known by metadata documents. Default: true. */
  readonly clientDocuments?: boolean
  /** Fetches client ID metadata documents. Default: the provider's own way, which refuses private and loopback addresses. */
  readonly fetchClientMetadata?: typeof fetch
}

export interface AuthorizationServer {
  /** Issuer identifier, `http://localhost:<port>`. */
  readonly issuer: string
  readonly port: number
  /** Lets clients ask for tokens for one more resource. */
  addResource(identifier: string): void
  /** Signs with a new key from now on. Old keys stay published unless `dropOld`, or the new one has the id of the last. */
  rotateKeys(how?: { dropOld?: boolean; keepKid?: boolean }): Promise<void>
  /** Ends every session, grant and token: all users have to sign in again. */
  forget(): void
  /** Stops answering. @returns how to go on, on the same port and with everything remembered */
  pause(): Promise<() => Promise<void>>
  close(): Promise<void>
}

/** Starts an authorization server on 127.0.0.1 that any MCP client can use. For demonstrations and tests: it forgets all when it ends. */
export async function startAuthorizationServer(options: AuthorizationServerOptions = {}): Promise<AuthorizationServer> {
  const resources = new Set(options.resources)
  const server = createServer((request, response) => void answer(request, response))
  const port = await listenOnLoopback(server, options.port ?? 0)
  const plan = planProvider(options, `http://localhost:${port}`, resources)
  const approving = plan.users.find(({ name }) => name === options.approveAs)
  let keys: [JWK & { kid: string }, ...JWK[]] = [await createSigningKey(plan.algorithm)]
  let provider = createProvider(plan, keys)

  async function answer(request: IncomingMessage, response: ServerResponse) {
    try {
      if (!isOwnHost(request.headers.host, port)) return void response.writeHead(421).end()
      await route(provider, request, response)
    } catch (error) {
      console.error('authorization server:', error)
      if (!response.headersSent) response.writeHead(500).end()
      else response.destroy()
    }
  }

  function route(current: Provider, request: IncomingMessage, response: ServerResponse): Promise<unknown> {
    if (!SIGN_IN_PATH.test(request.url ?? '')) return current.callback()(request, response)
    if (approving !== undefined) return approveAtOnce(current, plan, approving, request, response)
    return handleSignIn(current, plan, request, response)
  }

  return {
    issuer: plan.issuer,
    port,
    addResource: (identifier) => void resources.add(identifier),
    rotateKeys: async ({ dropOld = false, keepKid = false } = {}) => {
      const key = await createSigningKey(plan.algorithm)
      keys = keepKid ? [{ ...key, kid: keys[0].kid }] : [key, ...(dropOld ? [] : keys)]
      provider = createProvider(plan, keys)
    },
    forget: () => plan.memory.clear(),
    pause: async () => {
      await closeServer(server)
      return async () => void (await listenOnLoopback(server, port))
    },
    close: () => closeServer(server),
  }
}

/**
 * Whether a request was sent to this machine by one of its own names. A web page whose name an attacker's DNS server points at us (DNS
 * rebinding) could sign in by itself otherwise: the passwords are known.
 */
function isOwnHost(host: string | undefined, port: number): boolean {
  return ['localhost', '127.0.0.1', '[::1]'].some((name) => host?.toLowerCase() === `${name}:${port}`)
}

const DEFAULTS = {
  users: SAMPLE_USERS,
  scopes: SAMPLE_SCOPES,
  accessTokenFormat: 'jwt',
  algorithm: 'RS256',
  accessTokenSeconds: 3600,
  refreshTokenSeconds: 14 * 24 * 60 * 60,
  clients: [],
  addDefaultScopes: false,
  clientDocuments: true,
} as const

function planProvider(options: AuthorizationServerOptions, issuer: string, resources: ReadonlySet<string>): ProviderPlan {
  const plan = { ...DEFAULTS, ...options }
  return {
    ...plan,
    issuer,
    resources,
    defaultScopes: options.defaultScopes ?? plan.scopes.slice(0, 1).map(({ name }) => name),
    memory: createMemory(options.refreshGraceSeconds),
    cookieKeys: [randomBytes(32).toString('base64url')],
    defaultResource: options.defaultResource,
    fetchClientMetadata: options.fetchClientMetadata,
  }
}
