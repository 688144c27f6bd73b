import type { AsgardeoApi } from './asgardeo-api.ts'
import { formatCallbackUrls, parseCallbackUrls } from './asgardeo-callback-urls.ts'
import { AsgardeoError } from './asgardeo-error.ts'

/** What a new application is to be. */
export interface ApplicationDraft {
  readonly name: string
  readonly callbackUrl: string
  readonly clientId: string
  readonly clientSecret: string
}

/** An application as the list shows it. */
export interface ListedApplication {
  readonly id: string
  readonly name: string
  readonly description: string
}

/** How an application takes part in OpenID Connect. */
export interface InboundProtocol {
  readonly clientId: string
  /** Undefined where Asgardeo does not show it. */
  readonly clientSecret: string | undefined
  /** Undefined where they are a pattern that was not written by us. */
  readonly callbackUrls: readonly string[] | undefined
  /** Everything, for writing it back. */
  readonly document: Readonly<Record<string, unknown>>
}

/** By this an application of ours is known again. */
export const OUR_DESCRIPTION = 'Made by Open MCP Auth Proxy. It signs users in through this application.'

const APPLICATIONS = '/api/server/v1/applications'
const API_RESOURCES = '/api/server/v1/api-resources'
/** Attributes that the application gets to see; Asgardeo shows none of them otherwise. */
const CLAIMS = ['username', 'emailaddress', 'identity/emailVerified', 'givenname', 'lastname', 'groups']

/**
 * Creates an application.
 *
 * @returns its id; undefined when Asgardeo did not say it
 * @throws AsgardeoError, with the kind `conflict` when the name is taken
 */
export async function createApplication(api: AsgardeoApi, draft: ApplicationDraft): Promise<string | undefined> {
  const { location } = await api.send({
    method: 'POST',
    path: APPLICATIONS,
    body: describeApplication(draft),
    scope: 'internal_application_mgt_create',
    secrets: [draft.clientSecret],
  })
  return /\/applications\/(?<id>[\w-]{1,100})$/.exec(location ?? '')?.groups?.id
}

function describeApplication({ name, callbackUrl, clientId, clientSecret }: ApplicationDraft) {
  return {
    name,
    description: OUR_DESCRIPTION,
    templateId: 'custom-application-oidc',
    isManagementApp: false,
    associatedRoles: { allowedAudience: 'ORGANIZATION', roles: [] },
    claimConfiguration: {
      dialect: 'LOCAL',
      requestedClaims: CLAIMS.map((claim) => ({ claim: { uri: `http://wso2.org/claims/${claim}` }, mandatory: false })),
    },
    inboundProtocolConfiguration: {
      oidc: {
        clientId,
        clientSecret,
        grantTypes: ['authorization_code', 'refresh_token'],
        callbackURLs: [formatCallbackUrls([callbackUrl])],
        allowedOrigins: [],
        publicClient: false,
        pkce: { mandatory: true, supportPlainTransformAlgorithm: false },
        accessToken: { type: 'JWT', userAccessTokenExpiryInSeconds: 3600, applicationAccessTokenExpiryInSeconds: 3600 },
        refreshToken: { expiryInSeconds: 86_400, renewRefreshToken: true },
      },
    },
    // The proxy asks users itself, before it sends them on.
    advancedConfigurations: { discoverableByEndUsers: false, skipLoginConsent: true, skipLogoutConsent: true },
  }
}

/** Finds an application by its exact name, or by its client id. */
export async function findApplication(
  api: AsgardeoApi,
  by: 'name' | 'clientId',
  value: string,
): Promise<ListedApplication | undefined> {
  const { document } = await api.send({
    method: 'GET',
    path: APPLICATIONS,
    query: { filter: `${by} eq ${value}`, attributes: by === 'name' ? 'description' : 'description,clientId', limit: '10' },
    scope: 'internal_application_mgt_view',
  })
  const listed = Array.isArray(document?.applications) ? document.applications.map(readListed) : []
  const known = listed.filter((item) => item !== undefined)
  // What the filter means is up to the server: another version might look for something similar.
  return by === 'name' ? known.find(({ name }) => name === value) : known.length === 1 ? known[0] : undefined
}

function readListed(item: unknown): ListedApplication | undefined {
  const { id, name, description } = (typeof item === 'object' && item !== null ? item : {}) as Record<string, unknown>
  if (typeof id !== 'string' || !/^[\w-]{1,100}$/.test(id) || typeof name !== 'string') return undefined
  return { id, name, description: typeof description === 'string' ? description : '' }
}

/** @throws AsgardeoError, with the kind `missing` for an application without OpenID Connect */
export async function readInboundProtocol(api: AsgardeoApi, id: string): Promise<InboundProtocol> {
  const { document = {} } = await api.send({
    method: 'GET',
    path: `${APPLICATIONS}/${id}/inbound-protocols/oidc`,
    scope: 'internal_application_mgt_view',
  })
  const { clientId, clientSecret, callbackURLs } = document
  if (typeof clientId !== 'string' || clientId === '')
    throw new AsgardeoError('unavailable', 'Asgardeo shows an application without a client id')
  const urls = Array.isArray(callbackURLs) ? callbackURLs.map((url) => parseCallbackUrls(String(url))) : []
  return {
    clientId,
    clientSecret: typeof clientSecret === 'string' && clientSecret !== '' ? clientSecret : undefined,
    callbackUrls: urls.includes(undefined) ? undefined : urls.flatMap((list) => list ?? []),
    document,
  }
}

/** Adds a callback URL to those that an application has. */
export async function addCallbackUrl(api: AsgardeoApi, id: string, inbound: InboundProtocol, url: string): Promise<void> {
  await api.send({
    method: 'PUT',
    path: `${APPLICATIONS}/${id}/inbound-protocols/oidc`,
    body: { ...inbound.document, callbackURLs: [formatCallbackUrls([...(inbound.callbackUrls ?? []), url])] },
    scope: 'internal_application_mgt_update',
    secrets: inbound.clientSecret === undefined ? [] : [inbound.clientSecret],
  })
}

/** Makes Asgardeo create a new secret where it does not show the existing one. The existing secret stops working. */
export async function regenerateSecret(api: AsgardeoApi, id: string): Promise<string> {
  const { document } = await api.send({
    method: 'POST',
    path: `${APPLICATIONS}/${id}/inbound-protocols/oidc/regenerate-secret`,
    scope: 'internal_application_mgt_update',
  })
  const { clientSecret } = document ?? {}
  if (typeof clientSecret === 'string' && clientSecret !== '') return clientSecret
  throw new AsgardeoError('unavailable', 'Asgardeo made a new client secret and does not show it')
}

/** The API resource with this identifier, whose scopes applications can have. */
export async function findApiResource(api: AsgardeoApi, identifier: string): Promise<string> {
  const { document } = await api.send({
    method: 'GET',
    path: API_RESOURCES,
    query: { filter: `identifier eq ${identifier}` },
    scope: 'internal_api_resource_view',
  })
  const listed: unknown[] = Array.isArray(document?.apiResources) ? document.apiResources : []
  const found = listed.find((item) => (item as { identifier?: unknown } | null)?.identifier === identifier)
  const { id } = (found ?? {}) as { id?: unknown }
  if (typeof id === 'string' && /^[\w-]{1,100}$/.test(id)) return id
  throw new AsgardeoError(
    'refused',
    `Asgardeo has no API resource ${JSON.stringify(identifier)}: register it there, or correct \`identity_provider.api_resource\``,
  )
}

/** Lets an application ask for scopes of an API resource. */
export async function authorizeApi(
  api: AsgardeoApi,
  id: string,
  resourceId: string,
  scopes: readonly string[],
): Promise<'authorized' | 'already'> {
  try {
    await api.send({
      method: 'POST',
      path: `${APPLICATIONS}/${id}/authorized-apis`,
      body: { id: resourceId, policyIdentifier: 'RBAC', scopes },
      scope: 'internal_application_business_api_update',
    })
    return 'authorized'
  } catch (error) {
    if (error instanceof AsgardeoError && error.kind === 'conflict') return 'already'
    throw error
  }
}

/** Deletes an application; one that is gone already is fine. */
export async function deleteApplication(api: AsgardeoApi, id: string): Promise<void> {
  try {
    await api.send({ method: 'DELETE', path: `${APPLICATIONS}/${id}`, scope: 'internal_application_mgt_delete' })
  } catch (error) {
    if (!(error instanceof AsgardeoError) || error.kind !== 'missing') throw error
  }
}
