import * as oauth from 'oauth4webapi'
import type { Claims } from '../../core/claim-condition.ts'
import { isObject } from '../../core/is-object.ts'
import { parseExactJson } from '../../core/json/exact-json.ts'
import type { PlainOAuthPlan } from '../../core/plan/identity-provider-plan.ts'
import { IdentityProviderError } from './error.ts'

/** An item of a list at the provider; untrusted JSON. */
type Item = Readonly<Record<string, unknown>>
type RequestOptions = NonNullable<Parameters<typeof oauth.protectedResourceRequest>[5]>

/**
 * The claims of a user at a provider without ID tokens: what its user endpoint says, and with endpoints for these, the verified
 * address and the organizations.
 *
 * @throws IdentityProviderError
 */
export async function loadPlainClaims(plan: PlainOAuthPlan, accessToken: string, request: RequestOptions): Promise<Claims> {
  const ask = (endpoint: string) => loadJson(endpoint, accessToken, request)
  const user = await ask(plan.userinfoEndpoint)
  if (!isObject(user)) throw new IdentityProviderError('unavailable', 'the userinfo endpoint: the response is not a JSON object')
  const emails = plan.emailsEndpoint === undefined ? undefined : await ask(plan.emailsEndpoint)
  const organizations = plan.organizationsEndpoint === undefined ? undefined : await ask(plan.organizationsEndpoint)
  return {
    ...user,
    ...(plan.emailsEndpoint !== undefined && findVerifiedEmail(emails)),
    ...(plan.organizationsEndpoint !== undefined && { organizations: listItems(organizations).flatMap(readLogin) }),
  }
}

/** What the user endpoint says of an address is what the user wants to be shown; these are the ones that were verified. */
function findVerifiedEmail(emails: unknown): Claims {
  const primary = listItems(emails).find((item) => item.primary === true && item.verified === true)
  return typeof primary?.email === 'string' ? { email: primary.email, email_verified: true } : { email_verified: false }
}

function readLogin({ login }: Item): string[] {
  return typeof login === 'string' ? [login] : []
}

function listItems(value: unknown): Item[] {
  if (!Array.isArray(value)) return []
  return value.filter((item): item is Item => typeof item === 'object' && item !== null)
}

/** @returns undefined when the user has not let us look: what is not there meets no condition */
async function loadJson(endpoint: string, accessToken: string, request: RequestOptions): Promise<unknown> {
  const headers = new Headers({ accept: 'application/json', 'user-agent': 'open-mcp-auth-proxy' })
  const response = await oauth.protectedResourceRequest(accessToken, 'GET', new URL(endpoint), headers, null, request)
  if (response.status === 200) return readAnswer(endpoint, response)
  const isClosed = response.status === 403 || response.status === 404
  if (isClosed) return undefined
  const message = `the userinfo endpoint: ${endpoint} answers status ${response.status}`
  throw new IdentityProviderError('unavailable', message, { cause: response })
}

/** What a parser says of an answer has pieces of it, and is not for the log. */
async function readAnswer(endpoint: string, response: Response): Promise<unknown> {
  try {
    return parseExactJson(await response.text())
  } catch {
    throw new IdentityProviderError('unavailable', `the userinfo endpoint: ${endpoint} answers with invalid JSON`)
  }
}
