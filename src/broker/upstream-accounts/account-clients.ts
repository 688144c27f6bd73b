import { BROKER_PATHS } from '../../core/broker-paths.ts'
import type { Clock } from '../../core/clock.ts'
import { createEncryptedCollection } from '../../core/encrypted-collection.ts'
import type { Encryption } from '../../core/encryption.ts'
import { hashId } from '../../core/hash-id.ts'
import type { OwnAccountPlan } from '../../core/plan/own-account-plan.ts'
import type { Store } from '../../core/store.ts'
import { type ClientCredentials, createClientAuthentication } from '../../oauth/client-authentication.ts'
import { readJsonObject, type SafeFetch } from '../../oauth/safe-fetch.ts'
import { AccountError, quoteUntrusted } from './account-error.ts'
import type { AccountServer } from './account-server.ts'
import type { AccountClient } from './connection.ts'
import { ask, isShort } from './discovery.ts'

/** Our clients at authorization servers of MCP servers. */
export interface AccountClients {
  /**
   * The client of the configuration, else the one of our metadata document, else one that is registered there and kept.
   *
   * @param redirectUri - of this authorization server alone
   * @throws AccountError
   */
  find(server: AccountServer, redirectUri: string): Promise<AccountClient>
  /** Has the next `find` register anew: the authorization server does not know it any more. */
  forget(server: AccountServer, redirectUri: string): Promise<void>
  /** @throws AccountError `ended` where the client of the configuration is another one now */
  authenticate(client: AccountClient, issuer: string): Promise<ClientCredentials>
}

export interface AccountClientsOptions {
  readonly plan: OwnAccountPlan
  /** Our public URL. */
  readonly origin: string
  readonly fetch: SafeFetch
  readonly store: Store
  readonly encryption: Encryption
  readonly clock: Clock
}

/**
 * What a metadata document of ours and a registration have in common.
 *
 * @param server - the MCP server that the account is for; consent pages name it then
 */
export function describeClient(origin: string, redirectUri: string, server = 'MCP servers'): Readonly<Record<string, unknown>> {
  return {
    client_name: `${server} at ${new URL(origin).host}`,
    client_uri: origin,
    redirect_uris: [redirectUri],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    // OpenID Connect Registration §2: web clients redirect to https.
    application_type: origin.startsWith('https:') ? 'web' : 'native',
  }
}

/**
 * Connections keep the client that they were made with, so a registration is only needed to make more of them. An authorization server that
 * has forgotten it tells the user, and not us: so it is not kept for long.
 */
const KEEP_REGISTRATION_MS = 24 * 60 * 60_000
const METHODS = ['client_secret_basic', 'client_secret_post', 'none'] as const

export function createAccountClients(options: AccountClientsOptions): AccountClients {
  const { plan, origin, store, encryption, clock } = options
  const registered = createEncryptedCollection<KeptRegistration>(store, encryption, 'AccountClient', hashId)
  // One for each MCP server, which could name a new authorization server each time.
  const find = async ({ issuer }: AccountServer, redirectUri: string) => {
    const known = await registered.find(plan.server)
    return known?.issuer === issuer && known.redirectUri === redirectUri ? known.client : undefined
  }
  return {
    async find(server, redirectUri) {
      if (plan.client !== undefined) {
        const { clientId, clientAuthentication } = plan.client
        return { clientId, kind: 'configured', method: clientAuthentication.method }
      }
      if (server.takesDocuments && origin.startsWith('https:'))
        return { clientId: formatDocumentUrl(redirectUri), kind: 'document', method: 'none' }
      const known = await find(server, redirectUri)
      if (known !== undefined) return known
      const { client, expiresAt = Number.POSITIVE_INFINITY } = await register(server, redirectUri, options)
      const kept = { issuer: server.issuer, redirectUri, client }
      await registered.put(plan.server, kept, { expiresAt: Math.min(expiresAt, clock.wall() + KEEP_REGISTRATION_MS) })
      return client
    },
    async forget(server, redirectUri) {
      if ((await find(server, redirectUri)) !== undefined) await registered.take(plan.server)
    },
    async authenticate(client, issuer) {
      const how = readAuthentication(client, issuer, plan)
      if (how.method === 'none') return { headers: {}, parameters: { client_id: client.clientId } }
      return createClientAuthentication({ clientId: client.clientId, clientAuthentication: how }, issuer, clock.wall)()
    },
  }
}

/** The document lies beside the redirect URI, under the same name. */
function formatDocumentUrl(redirectUri: string): string {
  return redirectUri.replace(`${BROKER_PATHS.connections.callback}/`, `${BROKER_PATHS.connections.client}/`)
}

/** The secret of a client of the configuration is for the authorization server of the configuration alone. */
function readAuthentication(client: AccountClient, issuer: string, { client: configured, issuer: own }: OwnAccountPlan) {
  if (client.kind === 'configured') {
    if (configured?.clientId !== client.clientId || issuer !== own)
      throw new AccountError('ended', 'the account was connected through another client than the configuration has now')
    return configured.clientAuthentication
  }
  const { method, secret } = client
  if (method === 'none' || method === 'private_key_jwt' || secret === undefined) return { method: 'none' } as const
  return { method, secret }
}

interface KeptRegistration {
  readonly issuer: string
  readonly redirectUri: string
  readonly client: AccountClient
}

interface Registration {
  readonly client: AccountClient
  /** Milliseconds since the epoch; undefined for never. */
  readonly expiresAt: number | undefined
}

/** RFC 7591 §3. */
async function register(
  server: AccountServer,
  redirectUri: string,
  { origin, fetch, plan }: AccountClientsOptions,
): Promise<Registration> {
  const { registrationEndpoint: url, issuer, authenticationMethods } = server
  if (url === undefined)
    throw new AccountError(
      'unusable',
      `${quoteUntrusted(issuer)} takes neither a metadata document of this proxy nor registrations: configure a client`,
    )
  const method = METHODS.find((one) => authenticationMethods.includes(one)) ?? 'none'
  const body = JSON.stringify({ ...describeClient(origin, redirectUri, plan.server), token_endpoint_auth_method: method })
  const document = await ask('the registration endpoint', async () => {
    const headers = { 'content-type': 'application/json' }
    const answer = await fetch.fetchRaw(url, { namedBy: 'metadata', method: 'POST', headers, body })
    const said = readJsonObject(new URL(url), answer)
    if (answer.status !== 201 && answer.status !== 200)
      throw new AccountError('unusable', `${quoteUntrusted(issuer)} refuses the registration: ${quoteUntrusted(said.error)}`)
    return said
  })
  return readRegistration(document, method, issuer)
}

function readRegistration(
  document: Readonly<Record<string, unknown>>,
  asked: AccountClient['method'],
  issuer: string,
): Registration {
  const { client_id: clientId, client_secret: secret, client_secret_expires_at: seconds } = document
  const method = METHODS.find((one) => one === (document.token_endpoint_auth_method ?? asked))
  const isUsable = isKeepable(clientId) && (method === 'none' || isKeepable(secret))
  if (!isUsable || method === undefined)
    throw new AccountError('unusable', `${quoteUntrusted(issuer)} registers a client that cannot be used`)
  const client: AccountClient = { clientId, kind: 'registered', method, ...(method !== 'none' && { secret: String(secret) }) }
  return { client, expiresAt: typeof seconds === 'number' && seconds > 0 ? seconds * 1000 : undefined }
}

function isKeepable(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && isShort(value)
}
