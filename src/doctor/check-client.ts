import type { IdentityProviderPlan } from '../core/plan/identity-provider-plan.ts'
import { explainFailure } from './failure.ts'
import type { Finding, Findings } from './finding.ts'
import { type ClientProbe, type ClientQuestion, probeClient, type TokenRefusal } from './probe-client.ts'
import { quoteUntrusted } from './untrusted-text.ts'

/** GitHub says the same with other words, and with status 200. */
const REFUSED = new Set(['invalid_client', 'unauthorized_client', 'incorrect_client_credentials'])
const KNOWN = new Set(['invalid_grant', 'bad_verification_code'])

/** Whether the identity provider knows the proxy by its credentials. */
export async function checkClient(question: ClientQuestion, about: Findings): Promise<Finding> {
  try {
    const probe = await probeClient(question)
    if (!isRefused(probe.configured)) return checkAnswer(probe, question.callback, about)
    return await explainRefusal(probe, question, about)
  } catch (error) {
    const { reason, fix } = explainFailure(error)
    return about.problem('token_endpoint_unreachable', `Its token endpoint cannot be reached: ${reason}.`, fix)
  }
}

function checkAnswer(probe: ClientProbe, callback: string, about: Findings): Finding {
  const { configured, stranger } = probe
  const { status, error } = configured
  if (error === 'redirect_uri_mismatch')
    return about.problem(
      'redirect_uri_missing',
      `It does not know the redirect URI ${callback}.`,
      `Register ${callback} there, letter by letter.`,
    )
  if (error === undefined && (status === 404 || status === 405 || status >= 500))
    return about.problem(
      'token_endpoint_fails',
      `Its token endpoint answers with status ${status}.`,
      status >= 500 ? 'It is failing right now: check its own log.' : 'Check the URL of the token endpoint.',
    )
  if (configured.isOpen)
    return about.warning(
      'token_endpoint_open',
      'It issues tokens for a code that does not exist: it is a test server that lets anyone sign in as any user.',
      'Use it nowhere but in tests.',
    )
  if (!isAboutCode(probe))
    return about.skipped(
      'client_unclear',
      `Whether it knows the client will only show when a user signs in (${describe(configured)}).`,
    )
  if (stranger === undefined || isSame(configured, stranger))
    return about.skipped(
      'client_unclear',
      `Whether it knows the client will only show when a user signs in: it checks the code first, and gives every client the same answer (${describe(configured)}).`,
    )
  return about.ok('client', `It knows the client. Its redirect URI there has to be ${callback}.`)
}

async function explainRefusal({ configured }: ClientProbe, question: ClientQuestion, about: Findings): Promise<Finding> {
  const { plan } = question
  const other = turnAround(plan)
  if (other !== undefined) {
    const probe = await probeClient({ ...question, plan: other }).catch(() => undefined)
    const { method } = other.clientAuthentication
    if (probe !== undefined && isTold(probe))
      return about.problem(
        'client_authentication',
        `It refuses the client's secret as it is sent now (${describe(configured)}), and takes it by ${method}.`,
        `Write \`client_authentication: ${method}\` under \`identity_provider\`.`,
      )
  }
  return about.problem(
    'client_refused',
    `It refuses the client ${quoteUntrusted(plan.clientId)} (${describe(configured)}).`,
    'Correct `client_id` and `client_secret` of `identity_provider`. A secret may have expired there.',
  )
}

/** The same client with its secret sent in the other way (RFC 6749 §2.3.1). */
function turnAround(plan: IdentityProviderPlan): IdentityProviderPlan | undefined {
  const { clientAuthentication: how } = plan
  if (how.method === 'none') return undefined
  const method = how.method === 'client_secret_basic' ? 'client_secret_post' : 'client_secret_basic'
  return { ...plan, clientAuthentication: { method, secret: how.secret } }
}

/** Whether it is this very client that passes. */
function isTold(probe: ClientProbe): boolean {
  const { configured, stranger } = probe
  return isAboutCode(probe) && stranger !== undefined && !isSame(configured, stranger)
}

/** Any error for what was sent, where another client is refused for what it is: Glewlwyd calls the code `invalid_code`. */
function isAboutCode({ configured: { status, error }, stranger }: ClientProbe): boolean {
  if (KNOWN.has(error ?? '')) return true
  const isForRequest = error !== undefined && !REFUSED.has(error) && (status === 400 || status === 403)
  return isForRequest && stranger !== undefined && isRefused(stranger)
}

function isRefused({ status, error }: TokenRefusal): boolean {
  return REFUSED.has(error ?? '') || status === 401
}

function isSame(one: TokenRefusal, other: TokenRefusal): boolean {
  return one.status === other.status && one.error === other.error
}

function describe({ status, error }: TokenRefusal): string {
  return error === undefined ? `status ${status}` : `status ${status}, ${quoteUntrusted(error)}`
}
