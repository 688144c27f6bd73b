import type { IdentityProviderKind, IdentityProviderPlan, PlainOAuthPlan } from '../core/plan/identity-provider-plan.ts'
import { createIssuerFetch } from '../oauth/safe-fetch.ts'
import { aimAtMetadataUrl } from '../oauth/second-address.ts'
import { checkAsgardeoAdmin } from './check-asgardeo.ts'
import { checkClient } from './check-client.ts'
import { checkAnnouncedClaims } from './check-groups.ts'
import { explainMissing } from './check-metadata.ts'
import { checkSignIn } from './check-sign-in.ts'
import { checkUserinfo } from './check-userinfo.ts'
import type { Finding, Findings } from './finding.ts'
import type { NamedEndpoint } from './probe-client.ts'
import { type IssuerProbe, listForms, type Metadata, probeIssuer } from './probe-issuer.ts'

/** The endpoints that the broker uses. */
interface Endpoints {
  readonly authorization: NamedEndpoint
  readonly token: NamedEndpoint
  /** Undefined where it is not asked. */
  readonly userinfo: NamedEndpoint | undefined
}

/** What the broker does with an identity provider. */
export interface ProviderUse {
  /** Where users come back to. */
  readonly callback: string
  /** Claims of users that servers decide by. */
  readonly claims: readonly string[]
}

/** Whether the broker can sign users in at the identity provider. */
export async function checkIdentityProvider(
  plan: IdentityProviderPlan,
  { callback, claims }: ProviderUse,
  about: Findings,
): Promise<Finding[]> {
  const { oauth } = plan
  if (oauth !== undefined) return checkEndpoints(plan, readConfigured(oauth), callback, about)
  const probe = await probeIssuer({ ...plan, jwksUri: undefined, forms: listProviderForms(plan) })
  if (probe.metadata === undefined) return [explainMissing(probe, about)]
  const endpoints = readEndpoints(probe.metadata, plan)
  return [
    about.ok('identity_provider', 'Its metadata exists and names exactly this issuer.'),
    ...checkKeys(probe, about),
    ...checkOpenId(probe, about),
    ...checkOfflineAccess(probe.metadata, plan, about),
    ...checkAnnouncedClaims(probe.metadata, plan, claims, about),
    ...(endpoints.kind === 'missing'
      ? [explainEndpoint(endpoints.name, about)]
      : await checkEndpoints(plan, endpoints.endpoints, callback, about)),
  ]
}

/** Where the broker looks, and in its order. */
export function listProviderForms({ issuer }: IdentityProviderPlan): ReturnType<typeof listForms> {
  return listForms(issuer)
    .filter(([form]) => form !== 'openid_inserted')
    .toReversed()
}

function readConfigured({ authorizationEndpoint, tokenEndpoint, userinfoEndpoint }: PlainOAuthPlan): Endpoints {
  const name = (url: string): NamedEndpoint => ({ url, namedBy: 'operator' })
  return { authorization: name(authorizationEndpoint), token: name(tokenEndpoint), userinfo: name(userinfoEndpoint) }
}

type PublishedEndpoints =
  | { readonly kind: 'complete'; readonly endpoints: Endpoints }
  | { readonly kind: 'missing'; readonly name: string }

function readEndpoints(published: Metadata, { userinfo, metadataUrl }: IdentityProviderPlan): PublishedEndpoints {
  const metadata = metadataUrl === undefined ? published : aimAtMetadataUrl(published, metadataUrl)
  const find = (name: string): NamedEndpoint | undefined => {
    const url = metadata[name]
    return typeof url === 'string' && URL.canParse(url) ? { url, namedBy: 'metadata' } : undefined
  }
  const authorization = find('authorization_endpoint')
  const token = find('token_endpoint')
  if (token === undefined) return { kind: 'missing', name: 'token_endpoint' }
  if (authorization === undefined) return { kind: 'missing', name: 'authorization_endpoint' }
  return { kind: 'complete', endpoints: { authorization, token, userinfo: userinfo ? find('userinfo_endpoint') : undefined } }
}

function explainEndpoint(name: string, about: Findings): Finding {
  return about.problem(
    'endpoint_missing',
    `Its metadata has no ${name}.`,
    'Check that the issuer is that of an OpenID Connect provider.',
  )
}

async function checkEndpoints(
  plan: IdentityProviderPlan,
  { authorization, token, userinfo }: Endpoints,
  callback: string,
  about: Findings,
): Promise<Finding[]> {
  const { fetchRaw, close } = createIssuerFetch(plan)
  try {
    // The proxy makes its own client at Asgardeo.
    const ofClient =
      plan.asgardeo !== undefined
        ? [await checkAsgardeoAdmin(plan, plan.asgardeo, about)]
        : [
            await checkClient({ plan, endpoint: token, callback, fetchRaw }, about),
            await checkSignIn({ plan, endpoint: authorization, callback, fetchRaw }, about),
          ]
    return [...ofClient, ...(userinfo === undefined ? [] : await checkUserinfo(plan, userinfo, fetchRaw, about))]
  } finally {
    await close()
  }
}

function checkKeys({ keys }: IssuerProbe, about: Findings): Finding[] {
  if (keys === undefined)
    return [
      about.problem(
        'keys_unnamed',
        'Its metadata has no jwks_uri, so ID tokens cannot be verified.',
        'Check that the issuer is that of an OpenID Connect provider.',
      ),
    ]
  if (keys.answer.kind === 'failure')
    return [
      about.problem('keys_unreachable', `Its keys cannot be fetched: ${keys.answer.failure.reason}.`, keys.answer.failure.fix),
    ]
  return []
}

/** OpenID Connect Discovery §3. Metadata of OAuth alone (RFC 8414) may be that of a server that gives no ID tokens. */
function checkOpenId({ metadata = {}, documents }: IssuerProbe, about: Findings): Finding[] {
  const { scopes_supported: scopes, id_token_signing_alg_values_supported: algorithms } = metadata
  const isOpenId = documents.some(({ form, answer }) => form === 'openid_appended' && answer.kind === 'document')
  if (isOpenId || algorithms !== undefined || (Array.isArray(scopes) && scopes.includes('openid'))) return []
  return [
    about.warning(
      'openid_unannounced',
      'Its metadata does not mention OpenID Connect. Without an ID token, users cannot sign in.',
      'If it speaks OAuth alone, as OpenAuth does, write `kind: oauth` with its endpoints: see identity-providers.md.',
    ),
  ]
}

/** Those that give refresh tokens without it, or for something else. */
const WITHOUT_OFFLINE_ACCESS: ReadonlySet<IdentityProviderKind> = new Set(['keycloak', 'google', 'cognito', 'asgardeo'])

/** OpenID Connect Core §11: without a refresh token, the provider's word on a user ends with the sign-in. */
function checkOfflineAccess(
  { scopes_supported: listed }: Metadata,
  { kind, issuer, scopes, unrefreshedSeconds }: IdentityProviderPlan,
  about: Findings,
): Finding[] {
  const isOffered = Array.isArray(listed) && listed.includes('offline_access')
  if (!isOffered || scopes.includes('offline_access')) return []
  if (WITHOUT_OFFLINE_ACCESS.has(kind) || /\/realms\/[^/]+$/.test(issuer)) return []
  return [
    about.warning(
      'offline_access_missing',
      `It knows the scope \`offline_access\`, for which most providers give a refresh token, and \`scopes\` does not ask for it. Without one, users sign in again once its userinfo endpoint cannot be asked any more, or after ${unrefreshedSeconds} s (\`unrefreshed_seconds\`).`,
      'Add `offline_access` to `scopes` of `identity_provider`.',
    ),
  ]
}
