import { findAddressLiteral, isLoopbackHost, isPublicAddress } from '../core/addresses.ts'
import type { Plan } from '../core/plan/plan.ts'
import type { EndpointPlan, ServerPlan } from '../core/plan/server-plan.ts'
import { findPreflightProblem } from './check-public.ts'
import { CLIENT_PROFILES, type ClientProfile } from './client-profiles.ts'
import type { DocumentFailures } from './probe-documents.ts'
import type { Metadata } from './probe-issuer.ts'
import { type EndpointProbe, formatMetadataUrl } from './probe-public.ts'

/** Whether a client will connect, as far as doctor can tell. */
export interface ClientPrediction {
  readonly client: string
  /** The URL that the client is given. */
  readonly url: string
  /** `prepare`: after something was done by hand, once. */
  readonly verdict: 'connects' | 'prepare' | 'fails'
  /** Why not, or what is to be done first. Empty where it connects. */
  readonly reasons: readonly string[]
}

/** What is known of an endpoint and of the authorization server that it sends clients to. */
export interface ClientCase {
  readonly server: ServerPlan
  readonly endpoint: EndpointPlan
  /** Undefined where the proxy doesn't run. */
  readonly probe: EndpointProbe | undefined
  readonly issuer: string
  /** Metadata of the issuer; undefined where none can be had. */
  readonly metadata: Metadata | undefined
  /** Which metadata documents the issuer cannot fetch, as far as that can be told. */
  readonly documents: DocumentFailures | undefined
}

/** Predicts which well-known clients will connect. */
export function predictClients(asked: ClientCase, plan: Plan): ClientPrediction[] {
  const { endpoint } = asked
  return CLIENT_PROFILES.map((client) => {
    const obstacles = OBSTACLES.flatMap((find) => find(client, asked, plan) ?? [])
    const step = obstacles.length === 0 ? findStep(client, asked) : undefined
    const verdict = obstacles.length > 0 ? 'fails' : step === undefined ? 'connects' : 'prepare'
    return {
      client: client.name,
      url: endpoint.resource,
      verdict,
      reasons: obstacles.length > 0 ? obstacles : step === undefined ? [] : [step],
    }
  })
}

/** Gives the reason why a client cannot connect, if this is one. */
type FindObstacle = (client: ClientProfile, asked: ClientCase, plan: Plan) => string | undefined

const isPrivateHost = (hostname: string): boolean => {
  const literal = findAddressLiteral(hostname)
  return literal === undefined
    ? !hostname.includes('.') || /\.(?:local|internal|lan|home\.arpa)$/.test(hostname)
    : !isPublicAddress(literal)
}

const OBSTACLES: readonly FindObstacle[] = [
  function answersWrongly(_client, { probe }) {
    if (probe?.first.kind !== 'answer' || probe.first.answer.status === 401) return undefined
    return `its URL answers with status ${probe.first.answer.status} and not with 401 (see above)`
  },
  function cannotReach({ from }, { endpoint }) {
    const { hostname } = new URL(endpoint.resource)
    if (from !== 'internet' || !(isLoopbackHost(hostname) || isPrivateHost(hostname))) return undefined
    return `it comes from the internet, and ${hostname} cannot be reached from there`
  },
  function needsHttps({ from }, { endpoint }) {
    const { protocol, hostname } = new URL(endpoint.resource)
    if (protocol === 'https:' || isLoopbackHost(hostname)) return undefined
    return from === 'internet' ? 'it requires https' : 'it requires https, except for its own machine'
  },
  function findsNoMetadata(_client, { metadata, issuer }) {
    return metadata === undefined ? `it finds no valid metadata of ${issuer} (see above)` : undefined
  },
  function differsInResource({ wantsExactResource }, { probe, endpoint }) {
    const document = probe?.metadata?.kind === 'document' ? probe.metadata.document : undefined
    if (document === undefined || document.resource === endpoint.resource) return undefined
    return wantsExactResource || !endpoint.resource.startsWith(String(document.resource))
      ? 'the protected resource metadata is for another URL (see above)'
      : undefined
  },
  function ignoresChallenge({ wantsOwnMetadata }, { probe, endpoint }, plan) {
    if (!wantsOwnMetadata || probe?.metadataUrl === undefined || probe.metadataUrl === formatMetadataUrl(endpoint, plan))
      return undefined
    return 'it ignores metadata on another origin than that of its URL'
  },
  function refusesPkce({ wantsPkceAnnounced }, { metadata }) {
    const methods = metadata?.code_challenge_methods_supported
    if (metadata === undefined || (Array.isArray(methods) && methods.includes('S256'))) return undefined
    return methods === undefined && !wantsPkceAnnounced ? undefined : 'the issuer does not say that it supports PKCE with S256'
  },
  function refusesDocument(_client, { metadata }) {
    if (metadata === undefined) return undefined
    const isUsable =
      typeof metadata.authorization_endpoint === 'string' &&
      typeof metadata.token_endpoint === 'string' &&
      Array.isArray(metadata.response_types_supported)
    return isUsable ? undefined : 'the metadata of the issuer is incomplete (see above)'
  },
  function refusesTokenEndpoint({ wantsSecureTokens }, { metadata }) {
    const url = URL.parse(String(metadata?.token_endpoint))
    if (!wantsSecureTokens || url === null || url.protocol === 'https:' || isLoopbackHost(url.hostname)) return undefined
    return 'the token endpoint of the issuer is not https'
  },
  function refusesIssuer({ refusesPrivateIssuer }, { issuer, endpoint }) {
    const { hostname } = new URL(issuer)
    const isFar = !isLoopbackHost(new URL(endpoint.resource).hostname)
    return refusesPrivateIssuer && isFar && (isLoopbackHost(hostname) || isPrivateHost(hostname))
      ? `it refuses an issuer in a private network (${hostname})`
      : undefined
  },
  function cannotReachIssuer({ from }, { issuer, endpoint }) {
    const { hostname } = new URL(issuer)
    const isOwn = new URL(endpoint.resource).hostname === hostname
    return !isOwn && from === 'internet' && (isLoopbackHost(hostname) || isPrivateHost(hostname))
      ? `it cannot reach the issuer ${issuer} from the internet`
      : undefined
  },
  function appendsQuery({ breaksOnQuery }, { metadata }) {
    return breaksOnQuery && String(metadata?.authorization_endpoint).includes('?')
      ? 'it appends a second `?` to authorization_endpoint'
      : undefined
  },
  function failsInBrowser({ from }, { probe }) {
    return from === 'page' && probe !== undefined && findPreflightProblem(probe) !== undefined
      ? 'the CORS preflight fails (see above)'
      : undefined
  },
  function cannotBeFetched(client, asked) {
    const reason = client.document === undefined ? undefined : asked.documents?.get(client.document)
    if (reason === undefined || !usesDocument(client, asked)) return undefined
    return `the proxy cannot fetch its metadata document (${reason}), and it uses no other way if that one is offered`
  },
  function cannotRegister(client, asked) {
    if (canRegister(client, asked) || client.entersClientId !== undefined) return undefined
    return 'it cannot register at the issuer, and does not let users enter a client id'
  },
]

function canRegister(client: ClientProfile, asked: ClientCase): boolean {
  const { metadata, issuer } = asked
  if (metadata === undefined || client.knowsIssuers?.test(issuer)) return true
  return usesDocument(client, asked) || (client.registersItself && typeof metadata.registration_endpoint === 'string')
}

function usesDocument(
  { hasDocument, documentNeedsNone, knowsIssuers }: ClientProfile,
  { metadata, issuer }: ClientCase,
): boolean {
  if (metadata?.client_id_metadata_document_supported !== true || knowsIssuers?.test(issuer)) return false
  const methods = metadata.token_endpoint_auth_methods_supported
  const isPublic = Array.isArray(methods) && methods.includes('none')
  return hasDocument && (isPublic || !documentNeedsNone)
}

function findStep(client: ClientProfile, asked: ClientCase): string | undefined {
  if (canRegister(client, asked)) return undefined
  const uris = client.redirectUris.length === 0 ? '' : ` with the redirect URI ${client.redirectUris.join(' and ')}`
  return `create a client for it at the issuer${uris}, and enter its id (${client.entersClientId})`
}
