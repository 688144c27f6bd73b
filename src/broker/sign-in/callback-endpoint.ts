import type { Visit } from '../../core/visit.ts'
import { explainDenial, listUserScopes, mayUserSignIn } from '../identity-provider/access-rules.ts'
import type { SignedInUser } from '../identity-provider/signed-in-user.ts'
import { isSameText } from '../pages/browser-cookie.ts'
import { type AskedScope, describeScope } from '../pages/consent-page.ts'
import { type SignInTrouble, TROUBLES } from '../pages/sign-in-errors.ts'
import { type AwayUser, describeScene, type Scene, type SignInOptions } from './sign-in-context.ts'
import { allow, goOn, sendFailureBack, sendTrouble, sendTroubleBack } from './sign-in-result.ts'

/** Takes in the answer with which the identity provider sends a user back. */
export async function handleCallback(visit: Visit, options: SignInOptions): Promise<void> {
  if (visit.request.method !== 'GET') {
    visit.response.writeHead(405, { allow: 'GET', 'content-length': 0 }).end()
    return
  }
  const answer = new URL(visit.request.url ?? '', options.origin).searchParams
  // RFC 6749 §3.1: no parameter comes twice. Which of two counts would be for each reader to choose.
  if (new Set(answer.keys()).size < answer.size)
    return sendTrouble(visit, TROUBLES.suspicious, 'the answer has a parameter twice', options)
  const away = await options.away.find(answer.get('state') ?? '')
  if (away === undefined) return sendTrouble(visit, TROUBLES.over, 'no sign-in waits for that state', options)
  // Before anything is used up: who holds a link that somebody else's sign-in made must not be able to end it, let alone take part.
  const browser = options.browserCookie.find(visit.request)
  if (browser === undefined || !isSameText(browser, away.browser))
    return sendTrouble(visit, TROUBLES.forged, 'not the browser that the sign-in began in', options)
  const scene = await takeScene(visit, away, options)
  if (scene === undefined) return sendTrouble(visit, TROUBLES.over, 'the sign-in was completed already, or has expired', options)
  return finishSignIn(scene, away, answer, options)
}

/** Each state is good for one answer. */
async function takeScene(visit: Visit, { state, uid }: AwayUser, options: SignInOptions): Promise<Scene | undefined> {
  if ((await options.away.take(state)) === undefined) return undefined
  const interaction = await options.findProvider().Interaction.find(uid)
  return interaction && describeScene(visit, interaction, options)
}

async function finishSignIn(scene: Scene, away: AwayUser, answer: URLSearchParams, options: SignInOptions): Promise<void> {
  try {
    const user = await options.identityProvider.finishSignIn(answer, away)
    // Whatever is said of the user holds for everything that the user has here.
    if (mayUserSignIn(user.claims, options.plan)) await options.accounts.save(user)
    else await options.accounts.end(user.subject)
    const denied = findDenial(user, scene, options)
    if (denied !== undefined) {
      const cause = `subject ${JSON.stringify(user.subject)}: ${denied.cause}`
      return await sendTroubleBack(scene, denied.trouble, cause, options)
    }
    goOn(scene, await allow(scene, user, true, options), options, listRefused(user, scene, options))
  } catch (error) {
    await sendFailureBack(scene, error, options)
  }
}

/** What the user was asked for and does not have. Before the sign-in nobody could say so. */
function listRefused(
  { claims }: SignedInUser,
  { scopes, resource }: Scene,
  { plan, scopeDescriptions }: SignInOptions,
): AskedScope[] {
  const possible = listUserScopes(claims, plan, resource.scopes)
  const refused = scopes.filter((scope) => resource.scopes.has(scope) && !possible.has(scope))
  return refused.map((scope) => describeScope(scope, scopeDescriptions))
}

function findDenial(
  { claims }: SignedInUser,
  { scopes, resource }: Scene,
  { plan }: SignInOptions,
): { trouble: SignInTrouble; cause: string } | undefined {
  if (!mayUserSignIn(claims, plan)) return { trouble: TROUBLES.account, cause: `allow, ${explainDenial(claims, plan)}` }
  const possible = listUserScopes(claims, plan, resource.scopes)
  if (scopes.some((scope) => possible.has(scope))) return undefined
  return { trouble: TROUBLES.scopes, cause: `grant, none of the scopes ${scopes.join(' ')}` }
}
