import { BROKER_PATHS } from '../../core/broker-paths.ts'
import type { EndpointRequest } from '../../core/endpoint-request.ts'
import { isSameText } from '../../core/same-text.ts'
import { SIGN_IN_ERRORS } from '../pages/sign-in-errors.ts'
import { findOutage } from '../storage/outage.ts'
import { AccountError } from '../upstream-accounts/account-error.ts'
import { findAccountError, reportAccountError, sendAccountErrorBack } from './account-failure.ts'
import type { AccountConnecting, AwayAccount, Visitor } from './away-account.ts'
import { giveAccess } from './complete-sign-in.ts'
import { describeSignInContext, type SignInContext, type SignInOptions } from './sign-in-context.ts'
import { sendSignInError } from './sign-in-result.ts'

/** A user who has come back from the authorization server of an MCP server. */
interface AccountReturn {
  readonly incoming: EndpointRequest
  readonly away: AwayAccount
  /** The parameters with which the user was sent back. */
  readonly answer: URLSearchParams
}

/** Handles the response with which the authorization server of an MCP server sends a user back. */
export async function handleAccountCallback(incoming: EndpointRequest, options: SignInOptions): Promise<void> {
  const { connecting } = options
  if (connecting === undefined) throw new Error('no MCP server has accounts of users')
  if (incoming.request.method !== 'GET') {
    incoming.response.writeHead(405, { allow: 'GET', 'content-length': 0 }).end()
    return
  }
  const answer = new URL(incoming.request.url ?? '', options.origin).searchParams
  // RFC 6749 §3.1: no parameter comes twice. Which of two counts would be for each reader to choose.
  if (new Set(answer.keys()).size < answer.size)
    return sendSignInError(incoming, SIGN_IN_ERRORS.accountSuspicious, 'the response has a repeated parameter', options)
  const away = await connecting.away.find(answer.get('state') ?? '')
  if (away === undefined) return sendSignInError(incoming, SIGN_IN_ERRORS.over, 'no user is away with this state', options)
  const mistake = await findMistake(incoming, away, connecting, options)
  if (mistake !== undefined) return sendSignInError(incoming, SIGN_IN_ERRORS.forged, mistake, options)
  if ((await connecting.away.take(away.state)) === undefined)
    return sendSignInError(incoming, SIGN_IN_ERRORS.over, 'the response was already taken', options)
  const returned = { incoming, away, answer }
  return away.signIn === undefined ? finishVisit(returned, options) : finishSignIn(returned, away.signIn, options)
}

/** Checked before anything is used up: the holder of a leaked link must not be able to end the attempt, or take part in it. */
async function findMistake(
  incoming: EndpointRequest,
  away: AwayAccount,
  { findVisitor }: AccountConnecting,
  { browserCookie }: SignInOptions,
): Promise<string | undefined> {
  // Each authorization server has a redirect URI of its own: what another one issued never gets to this one (mix-up, RFC 9700 §4.4).
  if (!incoming.path.endsWith(`/${away.meeting}`))
    return 'the response came from another authorization server than the user was sent to'
  const isVisitor = (visitor: Visitor | undefined) =>
    visitor?.user.subject === away.subject && visitor.secrets.some((one) => isSameText(one, away.browser))
  const isSame =
    away.signIn === undefined
      ? isVisitor(await findVisitor(incoming))
      : browserCookie.hasOf(incoming.request, away.browser, away.subject)
  return isSame ? undefined : 'not the browser in which the user was sent away, or another user has signed in there since'
}

async function finishVisit(returned: AccountReturn, options: SignInOptions): Promise<void> {
  const { incoming } = returned
  try {
    await connect(returned, options)
    incoming.response
      .writeHead(303, { location: BROKER_PATHS.connections.list, 'cache-control': 'no-store', 'content-length': 0 })
      .end()
  } catch (error) {
    const found = findAccountError(error)
    if (found === undefined) throw error
    sendSignInError(incoming, found, error, options)
  }
}

async function finishSignIn(
  returned: AccountReturn,
  { uid, isNew }: NonNullable<AwayAccount['signIn']>,
  options: SignInOptions,
): Promise<void> {
  const { incoming, away } = returned
  const interaction = await options.findProvider().Interaction.find(uid)
  const context = interaction && (await describeSignInContext(incoming, interaction, options))
  if (context === undefined)
    return sendSignInError(incoming, SIGN_IN_ERRORS.over, 'the sign-in was already completed, or has expired', options)
  try {
    await connect(returned, options, context)
    const user = await options.accounts.find(away.subject)
    if (user === undefined) return sendSignInError(incoming, SIGN_IN_ERRORS.account, 'the user may not sign in any more', options)
    await giveAccess({ context, user, isNew }, options)
  } catch (error) {
    if (findOutage(error) !== undefined) throw error
    await sendAccountErrorBack(context, error, options)
  }
}

async function connect({ away, answer }: AccountReturn, options: SignInOptions, context?: SignInContext): Promise<void> {
  const { subject, server } = away
  const about = { subject, server, ...(context !== undefined && { clientId: context.clientId }) }
  try {
    const account = options.connecting?.accounts.find(server)
    if (account === undefined) throw new Error('the MCP server has no accounts of users any more')
    await account.finish(subject, away, answer)
    // The authorization server takes its time, and the user may have been shut out meanwhile.
    await checkMaySignIn(subject, options).catch(async (error: unknown) => {
      await account.disconnect(subject)
      throw error
    })
  } catch (error) {
    reportAccountError(error, about, options)
    throw error
  }
}

async function checkMaySignIn(subject: string, { accounts }: SignInOptions): Promise<void> {
  if ((await accounts.find(subject)) === undefined) throw new AccountError('not_admitted', 'the user may not sign in any more')
}
