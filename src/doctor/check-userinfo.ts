import type { IdentityProviderPlan } from '../core/plan/identity-provider-plan.ts'
import type { SafeFetch } from '../oauth/safe-fetch.ts'
import { explainFailure } from './failure.ts'
import type { Finding, Findings } from './finding.ts'
import type { NamedEndpoint } from './probe-client.ts'

/** Whether something answers that each sign-in asks for the claims of the user. A token that cannot exist is refused there, and rightly. */
export async function checkUserinfo(
  plan: IdentityProviderPlan,
  endpoint: NamedEndpoint,
  fetchRaw: SafeFetch['fetchRaw'],
  about: Findings,
): Promise<Finding[]> {
  const problem = await findProblem(plan, endpoint, fetchRaw)
  if (problem === undefined) return []
  return [
    about.problem(
      'userinfo_fails',
      `Its userinfo endpoint, which each sign-in asks, does not answer: ${problem}.`,
      plan.oauth === undefined
        ? 'Fix it, or write `userinfo: false` under `identity_provider` if its ID tokens contain all required claims.'
        : 'Correct `oauth.userinfo_endpoint`.',
    ),
  ]
}

async function findProblem(
  { timeoutSeconds }: IdentityProviderPlan,
  { url, namedBy }: NamedEndpoint,
  fetchRaw: SafeFetch['fetchRaw'],
): Promise<string | undefined> {
  try {
    const { status } = await fetchRaw(url, {
      method: 'GET',
      namedBy,
      deadlineMs: timeoutSeconds * 1000,
      headers: { authorization: 'Bearer doctor-asks-for-nothing' },
      showRedirects: true,
      isEnough: () => true,
    })
    return (status >= 300 && status < 400) || status === 404 || status >= 500 ? `status ${status}` : undefined
  } catch (error) {
    return explainFailure(error).reason
  }
}
