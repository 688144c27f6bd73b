import type { Interaction, Provider } from 'oidc-provider'
import { BROKER_PATHS } from '../../core/broker-paths.ts'
import type { EndpointRequest } from '../../core/endpoint-request.ts'
import { hashId } from '../../core/hash-id.ts'
import { listUserScopes } from '../identity-provider/access-rules.ts'
import type { SignedInUser } from '../identity-provider/signed-in-user.ts'
import { type AskedScope, renderPartialPage } from '../pages/consent-page.ts'
import { renderErrorPage } from '../pages/error-page.ts'
import { isOnThisComputer, type PageContent, renderGoOnPage, renderPage } from '../pages/page.ts'
import { explainOutage, findSignInError, type SignInError } from '../pages/sign-in-errors.ts'
import { findOutage } from '../storage/outage.ts'
import { addScopes, divideScopes } from './consents.ts'
import type { SignInContext, SignInOptions } from './sign-in-context.ts'

/** Whose pages they are. */
export type Branded = Pick<SignInOptions, 'brand'>

/** A user who has allowed a client what it asked for, and is signed in. */
export interface AllowedSignIn {
  readonly context: SignInContext
  readonly user: SignedInUser
  /** Whether the user has just come back from the identity provider. */
  readonly isNew: boolean
}

/**
 * Gives the client what the user allowed.
 *
 * @returns where to send the browser
 */
export async function allow({ context, user, isNew }: AllowedSignIn, options: SignInOptions): Promise<string> {
  const { incoming, interaction, clientId, resourceAsAsked: resource, scopes: asked, asking } = context
  const { subject } = user
  const grant = new (options.findProvider().Grant)({ accountId: subject, clientId })
  const scopes = divideScopes(asked, listUserScopes(user.claims, options.plan, context.resource.scopes))
  addScopes(grant, resource, scopes)
  const grantId = await grant.save()
  await options.consents.remember({ subject, clientId, redirectUri: asking.redirectUri, resource, scopes: scopes.granted })
  // An unknown authentication time must not be reported as now.
  const login = isNew && { login: { accountId: subject, remember: true, ts: user.authTime ?? 0 }, select_account: {} }
  const browser = hashId(options.browserCookie.renew(incoming, interaction.uid, subject))
  const url = await settle(interaction, { consent: { grantId }, ...login, browser }, options)
  const facts = { outcome: 'success', subject, clientId, resource: context.resource.identifier, scopes: scopes.granted } as const
  if (isNew) options.report({ kind: 'sign_in', ...facts, identityProvider: options.plan.issuer })
  options.report({ kind: 'consent', ...facts, grantId })
  return url
}

/**
 * Whether a sign-in is continued in another browser than the one in which the user allowed it. Its own cookies cannot tell: a sibling
 * site can plant them, and the user would be signed in to an account of the attacker (login CSRF, RFC 9700 §4.7).
 *
 * @param uid - of the interaction
 */
export async function isOtherBrowser(
  uid: string,
  incoming: EndpointRequest,
  options: Pick<SignInOptions, 'browserCookie' | 'findProvider'>,
): Promise<boolean> {
  const { result } = (await options.findProvider().Interaction.find(uid)) ?? {}
  if (result?.consent === undefined) return false
  return typeof result.browser !== 'string' || !options.browserCookie.hasDigest(incoming.request, result.browser)
}

/**
 * Signs the browser out of any other account, whether it was signed in when this sign-in began or has been since, in another tab. The
 * provider would show a page of its own otherwise.
 *
 * @param uid - of the interaction
 * @param sessionIds - from the cookies of the browser
 */
export async function leaveOtherAccount(
  uid: string,
  sessionIds: readonly string[],
  { Interaction: Interactions, Session: Sessions }: Provider,
  now: () => number,
): Promise<void> {
  const interaction = await Interactions.find(uid)
  const subject = interaction?.result?.login?.accountId
  if (interaction === undefined || subject === undefined) return
  for (const id of sessionIds) {
    const session = await Sessions.find(id)
    if (session?.accountId !== undefined && session.accountId !== subject) await session.destroy()
  }
  if (interaction.session === undefined) return
  // The sign-in has created a new session, whatever session it began in.
  Object.assign(interaction, { session: undefined })
  await interaction.save(interaction.exp - Math.floor(now() / 1000))
}

/** Reports an error to the client. Returns where to send the browser. */
export function refuse(interaction: Interaction, { oauthError, text }: SignInError, options: SignInOptions): Promise<string> {
  return settle(interaction, { error: oauthError, error_description: text }, options)
}

async function settle(interaction: Interaction, result: Interaction['result'], { now }: SignInOptions): Promise<string> {
  interaction.result = result
  await interaction.save(Math.max(1, interaction.exp - Math.floor(now() / 1000)))
  return interaction.returnTo
}

/**
 * Lets the browser go on to the client. By way of a page, since the identity provider's own `form-action` may end the chain of
 * redirects that its form began; a browser opens other applications only in such a chain, though.
 *
 * @param refused - what the user is to be told first that the client does not get
 */
export function goOn(
  { incoming, asking }: SignInContext,
  url: string,
  branded: Branded,
  refused: readonly AskedScope[] = [],
): void {
  if (refused.length > 0) {
    sendPage(incoming, 200, renderPartialPage(asking.clientName, refused, url), branded)
  } else if (isOnThisComputer(asking.redirectUri) && !asking.redirectUri.startsWith('http')) {
    incoming.response.writeHead(303, { location: url, 'cache-control': 'no-store', 'content-length': 0 }).end()
  } else {
    sendPage(incoming, 200, renderGoOnPage('Back to the application', url), branded)
  }
}

/** Shows the user an error page. */
export function sendSignInError(incoming: EndpointRequest, signInError: SignInError, cause: unknown, branded: Branded): void {
  incoming.note(signInError.code, cause)
  const { title, text, status } = signInError
  sendPage(incoming, status, renderErrorPage({ title, text, requestId: incoming.requestId }), branded)
}

/** Shows the user an error page with a link back, which reports the error to the client. */
export async function sendSignInErrorBack(
  context: SignInContext,
  signInError: SignInError,
  cause: unknown,
  options: SignInOptions,
): Promise<void> {
  const { incoming, interaction } = context
  const { title, text, status, code } = signInError
  incoming.note(code, cause)
  const backTo = await refuse(interaction, signInError, options)
  const label = code === 'sign_in_denied' ? 'Sign in with another account' : 'Try again'
  const again = { url: `${BROKER_PATHS.signIn}/${interaction.uid}`, label }
  sendPage(incoming, status, renderErrorPage({ title, text, requestId: incoming.requestId, backTo, again }), options)
}

/** Shows an error page for a failure of ours or of the identity provider, with a link that reports it to the client. */
export function sendFailureBack(context: SignInContext, error: unknown, options: SignInOptions): Promise<void> {
  const outage = findOutage(error)
  if (outage === undefined) return sendSignInErrorBack(context, findSignInError(error), error, options)
  context.incoming.response.setHeader('retry-after', String(outage.retryAfter))
  return sendSignInErrorBack(context, explainOutage(outage), outage.cause, options)
}

export function sendPage({ request, response }: EndpointRequest, status: number, content: PageContent, { brand }: Branded): void {
  const page = renderPage(content, brand)
  response.writeHead(status, { ...page.headers })
  response.end(request.method === 'HEAD' ? undefined : page.html)
}
