import { createHash, randomUUID } from 'node:crypto'
import type { IdentityProviderPlan } from '../core/plan/identity-provider-plan.ts'
import type { RawAnswer } from '../oauth/safe-fetch.ts'
import { explainFailure } from './failure.ts'
import type { Finding, Findings } from './finding.ts'
import type { ClientQuestion } from './probe-client.ts'
import { quoteUntrusted } from './untrusted-text.ts'

/** Whether a browser that the broker sends to the identity provider gets to a page where users sign in. */
export async function checkSignIn(question: ClientQuestion, about: Findings): Promise<Finding> {
  const { plan, endpoint, callback, fetchRaw } = question
  const url = formatRequest(plan, endpoint.url, callback)
  try {
    const answer = await fetchRaw(url.href, {
      method: 'GET',
      namedBy: endpoint.namedBy,
      deadlineMs: plan.timeoutSeconds * 1000,
      headers: { accept: 'text/html' },
      showRedirects: true,
      isEnough: () => true,
    })
    return checkAnswer(answer, url, callback, about)
  } catch (error) {
    const { reason, fix } = explainFailure(error)
    const says = `Its sign-in page (${url.origin}${url.pathname}) cannot be reached from here: ${reason}.`
    // Browsers may be in another network, and have to be where the metadata has an address of its own.
    if (plan.metadataUrl !== undefined) return about.skipped('sign_in_unseen', `${says} Browsers have to reach it.`)
    return about.warning('sign_in_unreachable', says, fix)
  }
}

/** What the broker sends a browser with. */
function formatRequest(plan: IdentityProviderPlan, endpoint: string, callback: string): URL {
  const url = new URL(endpoint)
  const parameters = {
    ...plan.authorizationParameters,
    client_id: plan.clientId,
    redirect_uri: callback,
    response_type: 'code',
    ...(plan.scopes.length > 0 && { scope: plan.scopes.join(' ') }),
    state: randomUUID(),
    code_challenge: createHash('sha256').update(randomUUID()).digest('base64url'),
    code_challenge_method: 'S256',
    ...(plan.oauth === undefined && { nonce: randomUUID() }),
  }
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
  return url
}

function checkAnswer({ status, headers }: RawAnswer, url: URL, callback: string, about: Findings): Finding {
  const target = status >= 300 && status < 400 ? URL.parse(headers.location ?? '', url.href) : null
  const error = target === null ? undefined : findRefusal(target, callback)
  if (error !== undefined) return refuse(error, callback, about)
  if (status === 400 || status === 401 || status === 404) return refuse(`status ${status}`, callback, about)
  if (status >= 500)
    return about.warning(
      'sign_in_unreachable',
      `Its sign-in page answers with status ${status}.`,
      'It is failing right now: check its own log.',
    )
  if (status >= 400)
    return about.skipped(
      'sign_in_unseen',
      `Its sign-in page only answers browsers (status ${status}): the first sign-in will show whether it works.`,
    )
  return about.ok('sign_in', 'It accepts users who are sent there to sign in.')
}

/** An error that comes back to us (RFC 6749 §4.1.2.1), or a page of errors as Google has one. */
function findRefusal(target: URL, callback: string): string | undefined {
  const error = target.searchParams.get('error')
  if (`${target.origin}${target.pathname}` === callback) {
    const description = target.searchParams.get('error_description')
    return error === null
      ? undefined
      : `${quoteUntrusted(error)}${description === null ? '' : `: ${quoteUntrusted(description)}`}`
  }
  return /\/error$/.test(target.pathname) ? 'it leads to an error page' : undefined
}

function refuse(reason: string, callback: string, about: Findings): Finding {
  return about.problem(
    'sign_in_refused',
    `It refuses users who are sent to it to sign in (${reason}).`,
    `Register ${callback} there as redirect URI, letter by letter, and check that it knows \`client_id\`, \`scopes\` and \`authorization_parameters\` of \`identity_provider\`.`,
  )
}
