import type * as oauth from 'oauth4webapi'
import { type Clock, systemClock } from '../../core/clock.ts'
import type { IdentityProviderPlan } from '../../core/plan/identity-provider-plan.ts'
import type { SafeFetch } from '../../oauth/safe-fetch.ts'
import { guard } from './error.ts'
import { createOpenIdConnect } from './openid-connect.ts'
import { createPlainOAuth } from './plain-oauth.ts'
import { refresh } from './refresh.ts'
import { createAuthentication, createRequestOptions, type RequestOptions } from './requests.ts'
import { type RevokedAtProvider, revoke } from './revoke.ts'
import type { Session } from './session.ts'
import { createAuthorizationUrl, finishSignIn } from './sign-in.ts'
import type { KeepRefreshToken, PendingSignIn, SignedInUser } from './signed-in-user.ts'
import { confirmUser } from './user.ts'
import type { UserProtocol } from './user-protocol.ts'

/** Signs users in. All methods throw {@link IdentityProviderError}. */
export interface IdentityProvider {
  /** Where to send the user. */
  createAuthorizationUrl(pending: PendingSignIn, wish?: { readonly withAnotherAccount: boolean }): Promise<URL>
  /** Takes the answer with which the user came back. */
  finishSignIn(answer: URLSearchParams, pending: PendingSignIn): Promise<SignedInUser>
  /**
   * Asks for fresh tokens, and whether the user is still who they were.
   *
   * @param keep - keeps a new refresh token as soon as there is one: many providers take the old one for stolen then, whatever
   *   becomes of the questions that follow
   */
  refresh(user: SignedInUser, keep: KeepRefreshToken): Promise<SignedInUser>
  /**
   * Asks whether the user is still who they were, with the access token alone.
   *
   * @returns undefined where there is no userinfo endpoint to ask
   */
  confirm(user: SignedInUser): Promise<SignedInUser | undefined>
  /** Has the user's tokens revoked where there is an endpoint for that. */
  revoke(user: SignedInUser): Promise<RevokedAtProvider>
  /** URLs of its authorization and token endpoints, which may be on other hosts than its issuer. */
  listEndpoints(): Promise<readonly string[]>
}

export interface IdentityProviderOptions {
  readonly plan: IdentityProviderPlan
  readonly redirectUri: string
  readonly outboundFetch: SafeFetch
  readonly clock?: Clock
}

/**
 * How long a request with a refresh token runs on although no caller waits for its answer any more: where refresh tokens are single-use, the
 * new one is the only one.
 */
const RUN_ON_MS = 120_000

export function createIdentityProvider({
  plan,
  redirectUri,
  outboundFetch,
  clock = systemClock,
}: IdentityProviderOptions): IdentityProvider {
  const timeoutMs = plan.timeoutSeconds * 1000
  const request = createRequestOptions(plan, outboundFetch, timeoutMs)
  const session: Session = {
    plan,
    redirectUri,
    client: { client_id: plan.clientId },
    authentication: createAuthentication(plan),
    request,
    patientRequest: createRequestOptions(plan, outboundFetch, Math.max(RUN_ON_MS, timeoutMs)),
    clock,
    refreshing: new Set(),
    protocol: chooseProtocol(plan, request, clock),
  }
  return {
    createAuthorizationUrl: (pending, wish) =>
      guard(() => createAuthorizationUrl(session, pending, wish?.withAnotherAccount === true)),
    finishSignIn: (answer, pending) => guard(() => finishSignIn(session, answer, pending)),
    // One bound for all questions of a refresh: they must not outlast the lock under which users are refreshed.
    refresh: (user, keep) => guard(() => refresh(limit(session, timeoutMs), user, keep)),
    confirm: (user) => guard(() => confirmUser(limit(session, timeoutMs), user)),
    revoke: (user) => guard(() => revoke(limit(session, timeoutMs), user)),
    listEndpoints: () => guard(async () => listEndpoints(await session.protocol.findMetadata())),
  }
}

function listEndpoints(metadata: oauth.AuthorizationServer): readonly string[] {
  return [metadata.authorization_endpoint, metadata.token_endpoint].filter((url) => url !== undefined)
}

/** A provider whose endpoints the configuration names speaks plain OAuth; every other one speaks OpenID Connect. */
function chooseProtocol(plan: IdentityProviderPlan, request: RequestOptions, clock: Clock): UserProtocol {
  if (plan.oauth !== undefined) return createPlainOAuth(plan.issuer, plan.oauth)
  return createOpenIdConnect(plan, request, clock)
}

function limit(session: Session, timeoutMs: number): Session {
  const signal = AbortSignal.timeout(timeoutMs)
  return { ...session, signal, request: { ...session.request, signal } }
}
