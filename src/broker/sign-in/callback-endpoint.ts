import type { EndpointRequest } from '../../core/endpoint-request.ts'
import { explainDenial, listUserScopes, mayUserSignIn } from '../identity-provider/access-rules.ts'
import type { SignedInUser } from '../identity-provider/signed-in-user.ts'
import { SIGN_IN_ERRORS, type SignInError } from '../pages/sign-in-errors.ts'
import { completeSignIn } from './complete-sign-in.ts'
import { type AwayUser, describeSignInContext, type SignInContext, type SignInOptions } from './sign-in-context.ts'
import { sendFailureBack, sendSignInError, sendSignInErrorBack } from './sign-in-result.ts'

/** Handles the response with which the identity provider redirects a user back. */
export async function handleCallback(incoming: EndpointRequest, options: SignInOptions): Promise<void> {
  if (incoming.request.method !== 'GET') {
    incoming.response.writeHead(405, { allow: 'GET', 'content-length': 0 }).end()
    return
  }
  const answer = new URL(incoming.request.url ?? '', options.origin).searchParams
  // RFC 6749 §3.1: no parameter comes twice. Which of two counts would be for each reader to choose.
  if (new Set(answer.keys()).size < answer.size)
    return sendSignInError(incoming, SIGN_IN_ERRORS.suspicious, 'the response has a repeated parameter', options)
  const away = await options.away.find(answer.get('state') ?? '')
  if (away === undefined && (await options.finishVisit(incoming, answer))) return
  if (away === undefined) return sendSignInError(incoming, SIGN_IN_ERRORS.over, 'no pending sign-in has this state', options)
  // Checked before anything is used up: the holder of a leaked link must not be able to end the sign-in, or take part in it.
  if (!options.browserCookie.has(incoming.request, away.browser))
    return sendSignInError(incoming, SIGN_IN_ERRORS.forged, 'not the browser in which the sign-in was started', options)
  const context = await takeSignInContext(incoming, away, options)
  if (context === undefined)
    return sendSignInError(incoming, SIGN_IN_ERRORS.over, 'the sign-in was already completed, or has expired', options)
  return finishSignIn(context, away, answer, options)
}

/** Each state is single-use. */
async function takeSignInContext(
  incoming: EndpointRequest,
  { state, uid }: AwayUser,
  options: SignInOptions,
): Promise<SignInContext | undefined> {
  if ((await options.away.take(state)) === undefined) return undefined
  const interaction = await options.findProvider().Interaction.find(uid)
  return interaction && describeSignInContext(incoming, interaction, options)
}

async function finishSignIn(
  context: SignInContext,
  away: AwayUser,
  answer: URLSearchParams,
  options: SignInOptions,
): Promise<void> {
  try {
    const user = await options.identityProvider.finishSignIn(answer, away)
    await options.connecting?.endOtherVisit(context.incoming, user.subject)
    // Whatever is said of the user holds for everything that the user has here.
    const isBlocked = options.accounts.isBlocked(user.subject)
    if (mayUserSignIn(user.claims, options.plan) && !isBlocked) await options.accounts.save(user)
    else await options.accounts.shutOut(user.subject)
    const denied = isBlocked ? BLOCKED : findDenial(user, context, options)
    if (denied !== undefined) {
      const cause = `subject ${JSON.stringify(user.subject)}: ${denied.cause}`
      reportDenial(user, context, denied, options)
      return await sendSignInErrorBack(context, denied.signInError, cause, options)
    }
    await completeSignIn({ context, user, isNew: true }, options)
  } catch (error) {
    await sendFailureBack(context, error, options)
  }
}

function reportDenial(
  { subject }: SignedInUser,
  { clientId, resource, scopes }: SignInContext,
  { signInError, cause: detail }: Denial,
  { plan, report }: SignInOptions,
): void {
  const asked = { clientId, resource: resource.identifier, scopes }
  report({ kind: 'sign_in', outcome: signInError.code, subject, ...asked, detail, identityProvider: plan.issuer })
}

interface Denial {
  readonly signInError: SignInError
  readonly cause: string
}

const BLOCKED: Denial = { signInError: SIGN_IN_ERRORS.account, cause: 'an operator has blocked the user' }

function findDenial({ claims }: SignedInUser, { scopes, resource }: SignInContext, { plan }: SignInOptions): Denial | undefined {
  if (!mayUserSignIn(claims, plan)) return { signInError: SIGN_IN_ERRORS.account, cause: `allow, ${explainDenial(claims, plan)}` }
  const possible = listUserScopes(claims, plan, resource.scopes)
  if (scopes.some((scope) => possible.has(scope))) return undefined
  return { signInError: SIGN_IN_ERRORS.scopes, cause: `grant, none of the scopes ${scopes.join(' ')}` }
}
