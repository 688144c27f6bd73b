import type { OAuthClient } from '../../demo/oauth-client.ts'
import type { User } from '../../src/sandbox/users.ts'

/** What both SDK generations call the refusal that a user can lift by signing in. */
const UNAUTHORIZED = 'UnauthorizedError'

/**
 * Does something and, when it turns out that nobody is signed in (or that more scope is needed), signs a user in by walking through
 * the real pages and does it again: what an application does with either SDK.
 *
 * @param attempt - connects or calls; a connection attempt needs a new transport each time
 * @param finishAuth - hands the redirect to the transport that was used last
 */
export async function withSignIn<T>(
  client: OAuthClient,
  user: User,
  attempt: () => Promise<T>,
  finishAuth: (redirect: URLSearchParams) => Promise<void>,
): Promise<T> {
  try {
    return await attempt()
  } catch (error) {
    if (!isUnauthorized(error) || client.waitingFor() === undefined) throw error
  }
  const redirect = await client.signInAs(user)
  await finishAuth(redirect.searchParams)
  return attempt()
}

function isUnauthorized(error: unknown): boolean {
  for (let current = error; current instanceof Error; current = current.cause) {
    if (current.constructor.name === UNAUTHORIZED) return true
  }
  return false
}
