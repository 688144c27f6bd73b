import type { Interaction } from 'oidc-provider'
import type { EndpointRequest } from '../../core/endpoint-request.ts'
import { readForm } from '../../core/read-form.ts'
import { nameUser } from '../accounts/accounts.ts'
import { listUserScopes } from '../identity-provider/access-rules.ts'
import { createPendingSignIn } from '../identity-provider/sign-in.ts'
import type { SignedInUser } from '../identity-provider/signed-in-user.ts'
import { describeScope, renderConsentPage } from '../pages/consent-page.ts'
import { isFromOwnPage } from '../pages/form.ts'
import { type PageContent, renderGoOnPage } from '../pages/page.ts'
import { SIGN_IN_ERRORS, SIGN_IN_MINUTES } from '../pages/sign-in-errors.ts'
import { completeSignIn } from './complete-sign-in.ts'
import { openSignInContext, type SignInContext, type SignInOptions } from './sign-in-context.ts'
import { goOn, refuse, sendFailureBack, sendPage, sendSignInError } from './sign-in-result.ts'

/** How long a user may take at the identity provider, in milliseconds. */
const AWAY_MS = SIGN_IN_MINUTES * 60_000

/** Shows the consent page of an authorization request, or handles its form. */
export async function handleSignIn(incoming: EndpointRequest, options: SignInOptions): Promise<void> {
  const { method } = incoming.request
  if (method !== 'GET' && method !== 'HEAD' && method !== 'POST') {
    incoming.response.writeHead(405, { allow: 'GET, HEAD, POST', 'content-length': 0 }).end()
    return
  }
  // Each form stores a sign-in until its user comes back from the identity provider.
  if (method === 'POST' && options.authorizations.count(incoming.address) !== undefined)
    return sendSignInError(incoming, SIGN_IN_ERRORS.busy, 'too many forms from this address', options)
  const context = await openSignInContext(incoming, options)
  if (context === undefined) sendSignInError(incoming, SIGN_IN_ERRORS.over, 'this browser has no such sign-in', options)
  else if (method === 'POST') await takeForm(context, options)
  else sendPage(incoming, 200, await renderQuestion(context, options), options)
}

async function renderQuestion(
  { incoming, interaction, asking, resource, scopes }: SignInContext,
  options: SignInOptions,
): Promise<PageContent> {
  const { browserCookie, plan, scopeDescriptions } = options
  const user = await findSignedIn(interaction, options)
  const allowed = user === undefined ? resource.scopes : listUserScopes(user.claims, plan, resource.scopes)
  const describe = (name: string) => describeScope(name, scopeDescriptions)
  const asked = scopes.filter((scope) => resource.scopes.has(scope))
  const secret = browserCookie.findOrSet(incoming)
  return renderConsentPage({
    asking,
    server: { name: resource.name, url: resource.identifier },
    scopes: asked.filter((scope) => allowed.has(scope)).map(describe),
    refused: asked.filter((scope) => !allowed.has(scope)).map(describe),
    signedInAs: user && nameUser(user),
    identityProvider: plan.name,
    formToken: browserCookie.createFormToken(secret, interaction.uid),
  })
}

/** The user who is signed in already; undefined when the client requires a fresh sign-in, or the previous attempt failed. */
async function findSignedIn(
  { prompt, session, result }: Interaction,
  { accounts }: SignInOptions,
): Promise<SignedInUser | undefined> {
  const isForProvider = prompt.name === 'login' || prompt.name === 'select_account'
  if (isForProvider || session?.accountId === undefined || result?.error !== undefined) return undefined
  return accounts.findRecent(session.accountId)
}

async function takeForm(context: SignInContext, options: SignInOptions): Promise<void> {
  const { incoming, interaction } = context
  const form = await readForm(incoming.request)
  if (form === undefined)
    return sendSignInError(incoming, SIGN_IN_ERRORS.malformed, 'the body is not a form, or too long', options)
  if (!isOwnForm(context, form, options))
    return sendSignInError(
      incoming,
      SIGN_IN_ERRORS.form,
      'the form was not sent by a page that was shown in this browser',
      options,
    )
  const action = form.get('action')
  if (action === 'cancel') return cancel(context, options)
  // Also reached by going back in the browser: show what is needed now.
  if (action !== 'allow' && action !== 'switch') return sendPage(incoming, 200, await renderQuestion(context, options), options)
  const user = action === 'switch' ? undefined : await findSignedIn(interaction, options)
  if (user === undefined) return sendAway(context, options, action === 'switch' || asksForAccount(interaction))
  return completeSignIn({ context, user, isNew: false }, options)
}

async function cancel(context: SignInContext, options: SignInOptions): Promise<void> {
  const { interaction, clientId, resource, scopes } = context
  const backTo = await refuse(interaction, SIGN_IN_ERRORS.refused, options)
  const { oauthError } = SIGN_IN_ERRORS.refused
  options.report({ kind: 'consent', outcome: oauthError, clientId, resource: resource.identifier, scopes })
  goOn(context, backTo, options)
}

/** Whether the user is to choose an account: the client says so, or the one before came to nothing. */
function asksForAccount({ params, result }: Interaction): boolean {
  return result?.error !== undefined || listPrompts(params).includes('select_account')
}

/** How long ago the user may have authenticated, in seconds, as the client has it; 0 is the same as `prompt=login`. */
function readMaxAge({ params }: Interaction): number | undefined {
  if (listPrompts(params).includes('login')) return 0
  return params.max_age === undefined ? undefined : Number(params.max_age)
}

function listPrompts({ prompt }: Interaction['params']): readonly string[] {
  return typeof prompt === 'string' ? prompt.split(' ') : []
}

function isOwnForm({ incoming, interaction }: SignInContext, form: URLSearchParams, options: SignInOptions): boolean {
  const isOwn = options.browserCookie.isOwnForm(incoming.request, interaction.uid, form.get('form_token') ?? '')
  return isOwn && isFromOwnPage(incoming.request, options.origin)
}

/** Sends the user to the identity provider, only after consent: otherwise an unknown client could use their session there. */
async function sendAway(context: SignInContext, options: SignInOptions, withAnotherAccount: boolean): Promise<void> {
  const { incoming, interaction } = context
  const asking = { id: context.clientId, name: context.asking.clientName, address: incoming.address }
  const pending = { ...createPendingSignIn(options.now(), readMaxAge(interaction)), asking }
  try {
    const url = await options.identityProvider.createAuthorizationUrl(pending, { withAnotherAccount })
    const browser = options.browserCookie.renew(incoming, interaction.uid)
    const away = { ...pending, uid: interaction.uid, browser }
    await options.away.put(pending.state, away, { expiresAt: options.now() + AWAY_MS })
    // Not by a redirect: `form-action` would have to name every host that the identity provider sends users through.
    sendPage(incoming, 200, renderGoOnPage(`Continue to ${options.plan.name}`, url.href), options)
  } catch (error) {
    await sendFailureBack(context, error, options)
  }
}
