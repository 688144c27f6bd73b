import type { ClientPlan } from '../../core/plan/client-plan.ts'
import type { OwnAccountPlan } from '../../core/plan/own-account-plan.ts'

/** A protected resource that the broker issues tokens for. */
export interface BrokerResource {
  /** Resource identifier (RFC 8707), and so the audience of its tokens. */
  readonly identifier: string
  /** Name of the server, for people. */
  readonly name: string
  /** Every scope that its policy can ask for. */
  readonly scopes: ReadonlySet<string>
  /** Scopes of a request that names none of them. */
  readonly defaultScopes: readonly string[]
  /** Whether calls carry the user's own access token of the identity provider. */
  readonly needsProviderToken?: boolean
  /** The accounts that users have there; undefined where the server needs none. */
  readonly account?: OwnAccountPlan | undefined
}

/** What tokens carry for servers without scopes of their own: OAuth has no grant of nothing. */
export const WHOLE_SERVER_SCOPE = 'mcp'

export interface Resources {
  /** @param identifier - as the client wrote it: the case of scheme and host and a final slash don't matter */
  find(identifier: string): BrokerResource | undefined
  /** The resource of a request that names none; undefined where it could be one of several servers. */
  readonly sole: BrokerResource | undefined
  /** Scopes of all of them. */
  readonly scopes: ReadonlySet<string>
}

/** @param resources - of every server; those of one server have the same name */
export function createResources(resources: readonly BrokerResource[]): Resources {
  const settled = resources.map(withScopes)
  const byIdentifier = new Map(settled.map((resource) => [normalizeIdentifier(resource.identifier), resource]))
  const names = new Set(settled.map(({ name }) => name))
  return {
    find: (identifier) => {
      const normal = normalizeIdentifier(identifier)
      return normal === undefined ? undefined : byIdentifier.get(normal)
    },
    sole: names.size === 1 ? settled[0] : undefined,
    scopes: new Set(settled.flatMap(({ scopes }) => [...scopes])),
  }
}

function withScopes(resource: BrokerResource): BrokerResource {
  if (resource.scopes.size === 0)
    return { ...resource, scopes: new Set([WHOLE_SERVER_SCOPE]), defaultScopes: [WHOLE_SERVER_SCOPE] }
  return resource.defaultScopes.length === 0 ? { ...resource, defaultScopes: [...resource.scopes] } : resource
}

/** What a client may have of a resource; undefined for nothing. */
export function narrowToClient(resource: BrokerResource, client: ClientPlan | undefined): BrokerResource | undefined {
  if (client?.servers !== undefined && !client.servers.includes(resource.name)) return undefined
  if (client?.scopes === undefined) return resource
  const may = client.scopes.filter((scope) => resource.scopes.has(scope))
  const usual = resource.defaultScopes.filter((scope) => may.includes(scope))
  return { ...resource, scopes: new Set(may), defaultScopes: usual.length > 0 ? usual : may }
}

/** One spelling for all of a resource; undefined for what is none. RFC 8707 §2: an absolute URI without a fragment. */
export function normalizeIdentifier(identifier: string): string | undefined {
  if (!/^https?:\/\/[^\s\\#]+$/i.test(identifier)) return undefined
  const url = URL.parse(identifier)
  if (url === null || url.username !== '' || url.password !== '') return undefined
  return `${url.origin}${url.pathname.replace(/\/$/, '')}${url.search}`
}

/**
 * The scopes that a request comes down to: those that the resource knows, or its default where there are none. `openid` and
 * `offline_access` pass, since many clients ask for them out of habit.
 */
export function settleScopes(asked: string | undefined, resource: BrokerResource): string {
  const wanted = (asked ?? '').split(' ').filter((scope) => scope !== '')
  const known = wanted.filter((scope) => resource.scopes.has(scope))
  const general = wanted.filter((scope) => scope === 'openid' || scope === 'offline_access')
  return [...new Set([...(known.length > 0 ? known : resource.defaultScopes), ...general])].join(' ')
}

/**
 * How the provider makes tokens for a resource.
 *
 * @param scopes - those that a token can have
 * @param seconds - for which tokens live
 * @param kid - of the key to sign with
 */
export function describeFormat({ identifier }: BrokerResource, scopes: Iterable<string>, seconds: number, kid: string) {
  return {
    audience: identifier,
    scope: [...scopes].join(' '),
    accessTokenTTL: seconds,
    accessTokenFormat: 'jwt' as const,
    jwt: { sign: { alg: 'ES256' as const, kid } },
  }
}
