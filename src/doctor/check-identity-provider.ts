import type { IdentityProviderPlan } from '../core/plan.ts'
import { formEncode } from '../oauth/client-authentication.ts'
import { createSafeFetch, type RawAnswer } from '../oauth/safe-fetch.ts'
import { checkAsgardeoAdmin } from './check-asgardeo.ts'
import { explainMissing } from './check-metadata.ts'
import { explainFailure } from './failure.ts'
import type { Finding, Findings } from './finding.ts'
import { quoteForeign } from './foreign-text.ts'
import { type IssuerSight, lookAtIssuer } from './look-issuer.ts'

/** Whether the broker can sign users in at the identity provider. */
export async function checkIdentityProvider(plan: IdentityProviderPlan, callback: string, about: Findings): Promise<Finding[]> {
  const { oauth } = plan
  if (oauth !== undefined)
    return [await checkCredentials(plan, { url: oauth.tokenEndpoint, namedBy: 'operator' }, callback, about)]
  const sight = await lookAtIssuer({ ...plan, jwksUri: undefined })
  if (sight.metadata === undefined) return [explainMissing(sight, about)]
  const url = sight.metadata.token_endpoint
  return [
    about.ok('identity_provider', 'Its metadata is found and names this very issuer.'),
    ...checkKeys(sight, about),
    await checkClient(plan, url, callback, about),
  ]
}

function checkClient(plan: IdentityProviderPlan, url: unknown, callback: string, about: Findings): Finding | Promise<Finding> {
  // The proxy makes its own client then.
  if (plan.asgardeo !== undefined) return checkAsgardeoAdmin(plan, plan.asgardeo, about)
  if (typeof url === 'string') return checkCredentials(plan, { url, namedBy: 'metadata' }, callback, about)
  return about.problem(
    'endpoint_missing',
    'Its metadata has no token_endpoint.',
    'Check that the issuer is that of an OpenID Connect provider.',
  )
}

function checkKeys({ keys }: IssuerSight, about: Findings): Finding[] {
  if (keys === undefined)
    return [
      about.problem(
        'keys_unnamed',
        'Its metadata has no jwks_uri, so ID tokens cannot be verified.',
        'Check that the issuer is that of an OpenID Connect provider.',
      ),
    ]
  if ('failure' in keys.answer)
    return [
      about.problem('keys_unreachable', `Its keys cannot be fetched: ${keys.answer.failure.reason}.`, keys.answer.failure.fix),
    ]
  return []
}

interface TokenEndpoint {
  readonly url: string
  readonly namedBy: 'operator' | 'metadata'
}

/** Exchanges a code that cannot exist: a client that is known is told so of the code, not of itself (RFC 6749 §5.2). */
async function checkCredentials(
  plan: IdentityProviderPlan,
  { url, namedBy }: TokenEndpoint,
  callback: string,
  about: Findings,
): Promise<Finding> {
  const { fetchRaw, close } = createSafeFetch(plan)
  const { headers, parameters } = authenticate(plan)
  const form = new URLSearchParams({
    grant_type: 'authorization_code',
    code: 'doctor-asks-for-nothing',
    redirect_uri: callback,
    code_verifier: 'd'.repeat(43),
    ...parameters,
  })
  try {
    const answer = await fetchRaw(url, {
      method: 'POST',
      namedBy,
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      body: form.toString(),
    })
    return judge(answer, plan, callback, about)
  } catch (error) {
    const { reason, fix } = explainFailure(error)
    return about.problem('token_endpoint_unreachable', `Its token endpoint cannot be reached: ${reason}.`, fix)
  } finally {
    await close()
  }
}

function authenticate({ clientId, clientAuthentication }: IdentityProviderPlan): {
  headers: Record<string, string>
  parameters: Record<string, string>
} {
  if (clientAuthentication.method === 'none') return { headers: {}, parameters: { client_id: clientId } }
  const { method, secret } = clientAuthentication
  if (method === 'client_secret_post') return { headers: {}, parameters: { client_id: clientId, client_secret: secret } }
  const credentials = Buffer.from(`${formEncode(clientId)}:${formEncode(secret)}`).toString('base64')
  return { headers: { authorization: `Basic ${credentials}` }, parameters: {} }
}

/** GitHub says the same with other words, and with status 200. */
const REFUSED = new Set(['invalid_client', 'unauthorized_client', 'incorrect_client_credentials'])

function judge({ status, bytes }: RawAnswer, plan: IdentityProviderPlan, callback: string, about: Findings): Finding {
  const error = findError(bytes)
  if (REFUSED.has(error ?? '') || status === 401) {
    return about.problem(
      'client_refused',
      `It refuses the client ${quoteForeign(plan.clientId)} (${error === undefined ? `status ${status}` : quoteForeign(error)}).`,
      'Correct `client_id` and `client_secret` of `identity_provider`, or `client_authentication` if it wants the secret in another way. A secret may have expired there.',
    )
  }
  if (error === 'redirect_uri_mismatch')
    return about.problem(
      'redirect_uri_missing',
      `It does not know the redirect URI ${callback}.`,
      `Register ${callback} there, letter by letter.`,
    )
  if (error === 'invalid_grant' || error === 'bad_verification_code')
    return about.ok('client', `It knows the client. Its redirect URI there has to be ${callback}.`)
  return about.skipped(
    'client_unclear',
    `Whether it knows the client cannot be told before somebody signs in (status ${status}${error === undefined ? '' : `, ${quoteForeign(error)}`}).`,
  )
}

function findError(bytes: Buffer): string | undefined {
  try {
    const { error } = JSON.parse(bytes.toString('utf8')) as { error?: unknown }
    return typeof error === 'string' ? error : undefined
  } catch {
    return undefined
  }
}
