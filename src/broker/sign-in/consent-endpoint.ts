import type { Interaction } from 'oidc-provider'
import type { Visit } from '../../core/visit.ts'
import { nameUser } from '../accounts/accounts.ts'
import { listUserScopes } from '../identity-provider/access-rules.ts'
import { createPendingSignIn } from '../identity-provider/sign-in.ts'
import type { SignedInUser } from '../identity-provider/signed-in-user.ts'
import { isSameText } from '../pages/browser-cookie.ts'
import { describeScope, renderConsentPage } from '../pages/consent-page.ts'
import { isFromOwnPage, readForm } from '../pages/form.ts'
import { type PageContent, renderGoOnPage } from '../pages/page.ts'
import { SIGN_IN_MINUTES, TROUBLES } from '../pages/sign-in-errors.ts'
import { openScene, type Scene, type SignInOptions } from './sign-in-context.ts'
import { allow, goOn, refuse, sendFailureBack, sendPage, sendTrouble } from './sign-in-result.ts'

/** How long a user may stay at the identity provider, in milliseconds. */
const AWAY_MS = SIGN_IN_MINUTES * 60_000

/** Shows the consent page that an authorization request needs, or takes in its form. */
export async function handleSignIn(visit: Visit, options: SignInOptions): Promise<void> {
  const { method } = visit.request
  if (method !== 'GET' && method !== 'HEAD' && method !== 'POST') {
    visit.response.writeHead(405, { allow: 'GET, HEAD, POST', 'content-length': 0 }).end()
    return
  }
  // Each form that is sent has us remember somebody who is away, until they come back.
  if (method === 'POST' && options.authorizations.count(visit.address) !== undefined)
    return sendTrouble(visit, TROUBLES.busy, 'too many forms from this address', options)
  const scene = await openScene(visit, options)
  if (scene === undefined) sendTrouble(visit, TROUBLES.over, 'this browser has no such sign-in', options)
  else if (method === 'POST') await takeForm(scene, options)
  else sendPage(visit, 200, await renderQuestion(scene, options), options)
}

async function renderQuestion(
  { visit, interaction, asking, resource, scopes }: Scene,
  options: SignInOptions,
): Promise<PageContent> {
  const { browserCookie, plan, scopeDescriptions } = options
  const user = await findSignedIn(interaction, options)
  const allowed = user === undefined ? resource.scopes : listUserScopes(user.claims, plan, resource.scopes)
  const describe = (name: string) => describeScope(name, scopeDescriptions)
  const asked = scopes.filter((scope) => resource.scopes.has(scope))
  const secret = browserCookie.findOrSet(visit.request, visit.response)
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

/** Who is signed in here already; nobody when the client wants a fresh sign-in, or the one before came to nothing. */
async function findSignedIn(
  { prompt, session, result }: Interaction,
  { accounts }: SignInOptions,
): Promise<SignedInUser | undefined> {
  const isForProvider = prompt.name === 'login' || prompt.name === 'select_account'
  if (isForProvider || session?.accountId === undefined || result?.error !== undefined) return undefined
  return accounts.findRecent(session.accountId)
}

async function takeForm(scene: Scene, options: SignInOptions): Promise<void> {
  const { visit, interaction } = scene
  const form = await readForm(visit.request)
  if (form === undefined) return sendTrouble(visit, TROUBLES.malformed, 'the body is no form, or too long', options)
  const browser = options.browserCookie.find(visit.request)
  if (browser === undefined || !isOwnForm(scene, form, browser, options))
    return sendTrouble(visit, TROUBLES.form, 'the form was not sent by a page that this browser was shown', options)
  const action = form.get('action')
  if (action === 'cancel') return goOn(scene, await refuse(interaction, TROUBLES.refused, options), options)
  // Also reached by going back in the browser: show what is needed now.
  if (action !== 'allow' && action !== 'switch') return sendPage(visit, 200, await renderQuestion(scene, options), options)
  const user = action === 'switch' ? undefined : await findSignedIn(interaction, options)
  if (user === undefined) return sendAway(scene, browser, options, action === 'switch' || asksForAccount(interaction))
  return goOn(scene, await allow(scene, user, false, options), options)
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

function isOwnForm({ visit, interaction }: Scene, form: URLSearchParams, browser: string, options: SignInOptions): boolean {
  const token = options.browserCookie.createFormToken(browser, interaction.uid)
  return isSameText(form.get('form_token') ?? '', token) && isFromOwnPage(visit.request, options.origin)
}

/** Sends the user to the identity provider: only now that they agreed to what for. Else a stranger's client could ride on their session there. */
async function sendAway(scene: Scene, browser: string, options: SignInOptions, asSomebodyElse: boolean): Promise<void> {
  const { visit, interaction } = scene
  const asking = { id: scene.clientId, name: scene.asking.clientName, address: visit.address }
  const pending = { ...createPendingSignIn(options.now(), readMaxAge(interaction)), asking }
  try {
    const url = await options.identityProvider.createAuthorizationUrl(pending, { asSomebodyElse })
    const away = { ...pending, uid: interaction.uid, browser }
    await options.away.put(pending.state, away, { expiresAt: options.now() + AWAY_MS })
    // Not by a redirect: `form-action` would have to name every host that the identity provider sends users through.
    sendPage(visit, 200, renderGoOnPage(`On to ${options.plan.name}`, url.href), options)
  } catch (error) {
    await sendFailureBack(scene, error, options)
  }
}
