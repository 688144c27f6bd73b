// What an administrator of Keycloak does, over its admin API.
import { readFileSync } from 'node:fs'
import type { KeycloakServer } from './server.ts'

// biome-ignore lint/suspicious/noExplicitAny: Keycloak's representations have hundreds of members
type Representation = Record<string, any>

export interface KeycloakAdmin {
  /** Issuer of the realm. */
  readonly issuer: string
  /** Takes a user out of a group of the realm. */
  leaveGroup(username: string, group: string): Promise<void>
  /** Ends every session of a user. */
  logOut(username: string): Promise<void>
  /** Ends one session of a user, the one that began last: *Sessions*, *Sign out*. */
  endSession(username: string): Promise<void>
  /** Gives the realm a new key for signatures; the keys before it are published no more. */
  rotateKeys(): Promise<void>
  /** Adds a client, as Keycloak represents it. */
  createClient(client: Readonly<Record<string, unknown>>): Promise<void>
  /** Sets *Logout settings* of a client. */
  setLogoutUrl(clientId: string, url: string): Promise<void>
  /** Changes the user's account. */
  updateUser(username: string, changes: Representation): Promise<void>
}

export const REALM = 'mcp'
export const PROXY_CLIENT = { id: 'mcp-proxy', secret: 'secret-of-the-proxy-at-keycloak' }
/** Whom the realm file knows; mallory is in no group. */
export const USERS = {
  alice: { name: 'alice', password: 'wonderland' },
  bob: { name: 'bob', password: 'builder' },
  mallory: { name: 'mallory', password: 'intruder' },
}

const POLICIES = 'org.keycloak.services.clientregistration.policy.ClientRegistrationPolicy'
const KEYS = 'org.keycloak.keys.KeyProvider'

export interface AudienceScope {
  readonly name: string
  readonly audience: string
  /** Whether every client has it, or those which ask for it. */
  readonly type: 'default' | 'optional'
}

export interface RealmPlaces {
  /** Origin of the proxy that is a client of Keycloak. */
  readonly broker: string
  /** Client scopes with the audience that they put into tokens. */
  readonly scopes: readonly AudienceScope[]
}

/** Makes the realm as the recipe for Keycloak says, with and without the broker. */
export async function createRealm(server: KeycloakServer, { broker, scopes }: RealmPlaces): Promise<KeycloakAdmin> {
  const api = createApi(server)
  const file = readFileSync(new URL('realm.json', import.meta.url), 'utf8')
  await api('POST', 'realms', JSON.parse(file.replaceAll('{{BROKER}}', broker)))
  for (const scope of scopes) await addAudienceScope(api, scope)
  await allowRegistration(
    api,
    scopes.map(({ name }) => name),
  )
  return {
    issuer: `${server.publicOrigin}/realms/${REALM}`,
    async leaveGroup(username, group) {
      const { id } = findNamed(await api('GET', `realms/${REALM}/groups`), group)
      await api('DELETE', `realms/${REALM}/users/${(await findUser(api, username)).id}/groups/${id}`)
    },
    async logOut(username) {
      await api('POST', `realms/${REALM}/users/${(await findUser(api, username)).id}/logout`)
    },
    async endSession(username) {
      const { id } = await findUser(api, username)
      const sessions: Representation[] = await api('GET', `realms/${REALM}/users/${id}/sessions`)
      const [last] = sessions.toSorted((one, other) => other.start - one.start)
      if (last === undefined) throw new Error(`${username} has no session`)
      await api('DELETE', `realms/${REALM}/sessions/${last.id}`)
    },
    async setLogoutUrl(clientId, url) {
      const [client]: Representation[] = await api('GET', `realms/${REALM}/clients?clientId=${clientId}`)
      const attributes = { 'backchannel.logout.url': url, 'backchannel.logout.session.required': 'true' }
      await api('PUT', `realms/${REALM}/clients/${client?.id}`, {
        ...client,
        frontchannelLogout: false,
        attributes: { ...client?.attributes, ...attributes },
      })
    },
    async createClient(client) {
      await api('POST', `realms/${REALM}/clients`, client)
    },
    async updateUser(username, changes) {
      const user = await findUser(api, username)
      await api('PUT', `realms/${REALM}/users/${user.id}`, { ...user, ...changes })
    },
    rotateKeys: () => rotateKeys(api),
  }
}

/** "Client scopes": one with mappers for the audience and for groups, by their paths. */
async function addAudienceScope(api: Api, { name, audience, type }: AudienceScope): Promise<void> {
  await api('POST', `realms/${REALM}/client-scopes`, {
    name,
    protocol: 'openid-connect',
    attributes: { 'include.in.token.scope': 'true', 'display.on.consent.screen': 'true', 'consent.screen.text': `Use ${name}` },
    protocolMappers: [
      {
        name: 'audience',
        protocol: 'openid-connect',
        protocolMapper: 'oidc-audience-mapper',
        config: { 'included.custom.audience': audience, 'access.token.claim': 'true', 'id.token.claim': 'false' },
      },
      {
        name: 'groups',
        protocol: 'openid-connect',
        protocolMapper: 'oidc-group-membership-mapper',
        config: { 'claim.name': 'groups', 'full.path': 'true', 'access.token.claim': 'true', 'id.token.claim': 'false' },
      },
    ],
  })
  const scope = findNamed(await api('GET', `realms/${REALM}/client-scopes`), name)
  await api('PUT', `realms/${REALM}/default-${type}-client-scopes/${scope.id}`)
}

/** "Anonymous access policies": clients may register from this machine, with these client scopes. */
async function allowRegistration(api: Api, scopes: readonly string[]): Promise<void> {
  const policies: Representation[] = await api('GET', `realms/${REALM}/components?type=${POLICIES}`)
  const anonymous = policies.filter(({ subType }) => subType === 'anonymous')
  const change = (name: string, config: Representation) => {
    const policy = findNamed(anonymous, name)
    return api('PUT', `realms/${REALM}/components/${policy.id}`, { ...policy, config: { ...policy.config, ...config } })
  }
  await change('Trusted Hosts', { 'trusted-hosts': ['127.0.0.1', 'localhost'] })
  await change('Allowed Client Scopes', { 'allowed-client-scopes': [...scopes] })
}

async function rotateKeys(api: Api): Promise<void> {
  const realm: Representation = await api('GET', `realms/${REALM}`)
  const old: Representation[] = await api('GET', `realms/${REALM}/components?type=${KEYS}`)
  await api('POST', `realms/${REALM}/components`, {
    name: `rsa-${old.length}`,
    providerId: 'rsa-generated',
    providerType: KEYS,
    parentId: realm.id,
    config: { priority: ['200'], enabled: ['true'], active: ['true'], keySize: ['2048'], algorithm: ['RS256'] },
  })
  for (const component of old.filter(({ providerId }) => providerId === 'rsa-generated'))
    await api('DELETE', `realms/${REALM}/components/${component.id}`)
}

async function findUser(api: Api, username: string): Promise<Representation> {
  const [user]: Representation[] = await api('GET', `realms/${REALM}/users?exact=true&username=${username}`)
  if (user === undefined) throw new Error(`Keycloak knows no user ${username}`)
  return user
}

function findNamed(list: readonly Representation[], wanted: string): Representation {
  const found = list.find(({ name }) => name === wanted)
  if (found === undefined) throw new Error(`Keycloak has no ${wanted}, but ${list.map(({ name }) => name).join(', ')}`)
  return found
}

// biome-ignore lint/suspicious/noExplicitAny: what comes back depends on the place
type Api = (method: string, path: string, body?: unknown) => Promise<any>

function createApi({ origin, adminPassword }: KeycloakServer): Api {
  return async (method, path, body) => {
    // A new token each time: they last for a minute.
    const headers = {
      authorization: `Bearer ${await fetchAdminToken(origin, adminPassword)}`,
      'content-type': 'application/json',
    }
    const init = body === undefined ? { method, headers } : { method, headers, body: JSON.stringify(body) }
    const response = await fetch(`${origin}/admin/${path}`, init)
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return text === '' ? undefined : JSON.parse(text)
  }
}

async function fetchAdminToken(origin: string, password: string): Promise<string> {
  const response = await fetch(`${origin}/realms/master/protocol/openid-connect/token`, {
    method: 'POST',
    body: new URLSearchParams({ grant_type: 'password', client_id: 'admin-cli', username: 'admin', password }),
  })
  const answer = (await response.json()) as { access_token?: string }
  if (answer.access_token === undefined) throw new Error(`no token for the administrator: ${JSON.stringify(answer)}`)
  return answer.access_token
}
