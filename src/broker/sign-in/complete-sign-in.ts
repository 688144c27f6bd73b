import { nameUser } from '../accounts/accounts.ts'
import { listUserScopes } from '../identity-provider/access-rules.ts'
import { renderConnectPage } from '../pages/connect-page.ts'
import { type AskedScope, describeScope } from '../pages/consent-page.ts'
import type { UpstreamAccount } from '../upstream-accounts/upstream-accounts.ts'
import { reportAccountError, sendAccountErrorBack } from './account-failure.ts'
import { beginAway, lacksAccount } from './away-account.ts'
import type { SignInOptions } from './sign-in-context.ts'
import { type AllowedSignIn, allow, goOn, sendPage } from './sign-in-result.ts'

/**
 * Gives the client what the user allowed. Where the MCP server needs an account of the user's own, that is connected first: without one no
 * call could be made, and a client cannot be told so before it has said what it can show.
 */
export async function completeSignIn(signIn: AllowedSignIn, options: SignInOptions): Promise<void> {
  const account = options.connecting?.accounts.find(signIn.context.resource.name)
  if (account !== undefined && (await lacksAccount(account, signIn.user.subject))) return sendToConnect(signIn, account, options)
  return giveAccess(signIn, options)
}

/** As {@link completeSignIn}, for a user who has what it takes. */
export async function giveAccess(signIn: AllowedSignIn, options: SignInOptions): Promise<void> {
  goOn(signIn.context, await allow(signIn, options), options, signIn.isNew ? listRefused(signIn, options) : [])
}

/** The requested scopes that the user may not have, which is known only after the sign-in. */
function listRefused({ context, user }: AllowedSignIn, { plan, scopeDescriptions }: SignInOptions): AskedScope[] {
  const { scopes, resource } = context
  const possible = listUserScopes(user.claims, plan, resource.scopes)
  const refused = scopes.filter((scope) => resource.scopes.has(scope) && !possible.has(scope))
  return refused.map((scope) => describeScope(scope, scopeDescriptions))
}

async function sendToConnect(
  { context, user, isNew }: AllowedSignIn,
  account: UpstreamAccount,
  options: SignInOptions,
): Promise<void> {
  const { subject } = user
  const { incoming, interaction, asking, resource } = context
  const { connecting, browserCookie, now } = options
  if (connecting === undefined) throw new Error('no MCP server has accounts of users')
  try {
    const browser = browserCookie.renew(incoming, interaction.uid, subject)
    const who = { subject, browser, signIn: { uid: interaction.uid, isNew } }
    const expiresAt = now() + connecting.awayMs
    const url = await beginAway(account, who, { more: [], expiresAt, away: connecting.away })
    const step = { clientName: asking.clientName, server: resource.name, target: url, signedInAs: nameUser(user) }
    sendPage(incoming, 200, renderConnectPage(step), options)
  } catch (error) {
    reportAccountError(error, { subject, server: account.plan.server, clientId: context.clientId }, options)
    await sendAccountErrorBack(context, error, options)
  }
}
