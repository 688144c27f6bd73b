import { BROKER_PATHS } from '../../core/broker-paths.ts'
import type { EndpointRequest } from '../../core/endpoint-request.ts'
import { readForm } from '../../core/read-form.ts'
import { isSameText } from '../../core/same-text.ts'
import { nameUser } from '../accounts/accounts.ts'
import { type ListedAccount, renderConnections, renderConnectQuestion } from '../pages/connect-page.ts'
import { renderErrorPage } from '../pages/error-page.ts'
import { isFromOwnPage } from '../pages/form.ts'
import { renderGoOnPage } from '../pages/page.ts'
import { SIGN_IN_ERRORS, type SignInError } from '../pages/sign-in-errors.ts'
import { findAccountError, reportAccountError } from '../sign-in/account-failure.ts'
import { type AccountConnecting, beginAway, type Visitor } from '../sign-in/away-account.ts'
import { sendPage, sendSignInError } from '../sign-in/sign-in-result.ts'
import type { AccountLink, AccountLinks } from '../upstream-accounts/account-links.ts'
import type { UpstreamAccount } from '../upstream-accounts/upstream-accounts.ts'
import type { PartsOfVisits } from './visit-parts.ts'
import type { Visits } from './visits.ts'

const { list: CONNECTIONS_PATH, link: LINK_PATH } = BROKER_PATHS.connections

export interface ConnectionsOptions extends PartsOfVisits {
  readonly connecting: AccountConnecting
  readonly links: AccountLinks
  readonly visits: Visits
  /** Name of a client, as it says of itself; undefined where it is not known. */
  readonly findClientName: (clientId: string) => Promise<string | undefined>
}

/** Handles the page where users see, connect and disconnect their accounts. */
export async function handleConnections(incoming: EndpointRequest, options: ConnectionsOptions): Promise<void> {
  const visitor = await admit(incoming, CONNECTIONS_PATH, options)
  if (visitor === undefined) return
  if (incoming.request.method !== 'POST') return sendList(incoming, visitor, options)
  const form = await takeForm(incoming, visitor, CONNECTIONS_PATH, options)
  if (form === undefined) return
  const account = options.connecting.accounts.find(form.get('server') ?? '')
  if (account === undefined) return sendList(incoming, visitor, options)
  if (form.get('action') === 'connect') {
    const url = await begin(incoming, { account, visitor, more: [] }, options)
    return url && sendAway(incoming, url, options)
  }
  if (form.get('action') === 'disconnect') await account.disconnect(visitor.user.subject)
  incoming.response.writeHead(303, { location: CONNECTIONS_PATH, 'cache-control': 'no-store', 'content-length': 0 }).end()
}

/** Handles a link that was made for one user, to connect one account. */
export async function handleLink(incoming: EndpointRequest, options: ConnectionsOptions): Promise<void> {
  const link = options.links.read(incoming.path.slice(LINK_PATH.length + 1))
  const account = link && options.connecting.accounts.find(link.server)
  if (link === undefined || account === undefined)
    return sendError(incoming, SIGN_IN_ERRORS.linkOver, 'no link, or an old one', options)
  const visitor = await admit(incoming, incoming.path, options)
  if (visitor === undefined) return
  // "The MCP Server MUST verify the identity of the user who opens the URL" (2026-07-28, client/elicitation, Phishing).
  if (visitor.user.subject !== link.subject) return sendOtherUser(incoming, visitor, options)
  if (incoming.request.method !== 'POST') return sendQuestion(incoming, { link, account, visitor }, options)
  const form = await takeForm(incoming, visitor, incoming.path, options)
  const url = form && (await begin(incoming, { account, visitor, more: link.scopes }, options))
  if (url === undefined) return
  // The MCP server says where the user goes, and could say another host than the one that was shown.
  if (url.host === form?.get('host')) return sendAway(incoming, url, options)
  return sendQuestion(incoming, { link, account, visitor }, options)
}

function sendOtherUser(incoming: EndpointRequest, { user }: Visitor, options: ConnectionsOptions): void {
  const { code, status, title, text } = SIGN_IN_ERRORS.otherUser
  incoming.note(code, `opened by subject ${JSON.stringify(user.subject)}`)
  const again = { url: `${incoming.path}${SWITCH}`, label: 'Sign in with another account' }
  sendPage(incoming, status, renderErrorPage({ title, text, requestId: incoming.requestId, again }), options)
}

/** @returns undefined where the request has been answered: by the way to the identity provider, or by a refusal */
async function admit(incoming: EndpointRequest, path: string, options: ConnectionsOptions): Promise<Visitor | undefined> {
  const { method } = incoming.request
  if (method !== 'GET' && method !== 'HEAD' && method !== 'POST') {
    incoming.response.writeHead(405, { allow: 'GET, HEAD, POST', 'content-length': 0 }).end()
    return undefined
  }
  // Forms and links have the MCP server asked.
  const isAsking = method === 'POST' || path !== CONNECTIONS_PATH
  if (isAsking && options.authorizations.count(incoming.address) !== undefined) {
    sendError(incoming, SIGN_IN_ERRORS.busy, 'too many forms from this address', options)
    return undefined
  }
  const withAnotherAccount = method === 'GET' && new URL(incoming.request.url ?? '', options.origin).search === SWITCH
  const visitor = withAnotherAccount ? undefined : await options.visits.find(incoming)
  if (visitor === undefined) await options.visits.signIn(incoming, path, { withAnotherAccount })
  else incoming.noteParties({ subject: visitor.user.subject })
  return visitor
}

/** The query of a page on which the user wants to be another one. */
const SWITCH = '?as=another'

/** The form of a page that was shown to this very visitor. */
async function takeForm(
  incoming: EndpointRequest,
  visitor: Visitor,
  path: string,
  options: ConnectionsOptions,
): Promise<URLSearchParams | undefined> {
  const form = await readForm(incoming.request)
  const token = form?.get('form_token') ?? ''
  const isShown = listTokens(visitor, path, options).some((one) => isSameText(token, one))
  if (form !== undefined && isShown && isFromOwnPage(incoming.request, options.origin)) return form
  sendError(incoming, SIGN_IN_ERRORS.form, 'the form was not sent by a page that was shown to this user in this browser', options)
  return undefined
}

/** Those of the pages that the visitor has in tabs; new pages get the first one. */
function listTokens(
  { secrets, user }: Visitor,
  path: string,
  { browserCookie }: ConnectionsOptions,
): readonly [string, ...string[]] {
  const format = (secret: string) => browserCookie.createFormToken(secret, JSON.stringify(['connections', path, user.subject]))
  const [newest, ...others] = secrets
  return [format(newest), ...others.map(format)]
}

async function sendList(incoming: EndpointRequest, visitor: Visitor, options: ConnectionsOptions): Promise<void> {
  const { accounts } = options.connecting
  const listed = await Promise.all(accounts.servers.map((server) => describeAccount(server, visitor, options)))
  const formToken = listTokens(visitor, CONNECTIONS_PATH, options)[0]
  const shown = { signedInAs: nameUser(visitor.user), formToken, anotherUrl: `${CONNECTIONS_PATH}${SWITCH}` }
  sendPage(incoming, 200, renderConnections(listed, shown), options)
}

async function describeAccount(server: string, { user }: Visitor, { connecting }: ConnectionsOptions): Promise<ListedAccount> {
  const connection = await connecting.accounts.find(server)?.look(user.subject)
  return { server, host: connection && new URL(connection.issuer).host, scopes: connection?.scopes ?? [] }
}

interface Asked {
  readonly link: AccountLink
  readonly account: UpstreamAccount
  readonly visitor: Visitor
}

async function sendQuestion(
  incoming: EndpointRequest,
  { link, account, visitor }: Asked,
  options: ConnectionsOptions,
): Promise<void> {
  try {
    const { server, scopes, clientId } = link
    const page = renderConnectQuestion({
      server,
      scopes,
      host: await account.findHost(),
      clientName: clientId === undefined ? undefined : await options.findClientName(clientId),
      signedInAs: nameUser(visitor.user),
      formToken: listTokens(visitor, incoming.path, options)[0],
    })
    sendPage(incoming, 200, page, options)
  } catch (error) {
    sendFailure(incoming, error, options)
  }
}

interface Beginning {
  readonly account: UpstreamAccount
  readonly visitor: Visitor
  /** Scopes beside the usual ones. */
  readonly more: readonly string[]
}

/** @returns where the user goes; undefined where the request has been answered */
async function begin(
  incoming: EndpointRequest,
  { account, visitor: { user, secrets }, more }: Beginning,
  options: ConnectionsOptions,
): Promise<URL | undefined> {
  const { subject } = user
  const { away, awayMs } = options.connecting
  try {
    const terms = { more, away, expiresAt: options.clock.wall() + awayMs }
    return await beginAway(account, { subject, browser: secrets[0], signIn: undefined }, terms)
  } catch (error) {
    reportAccountError(error, { subject, server: account.plan.server }, options)
    sendFailure(incoming, error, options)
    return undefined
  }
}

/** Not by a redirect: `form-action` would have to name every host that the authorization server sends users through. */
function sendAway(incoming: EndpointRequest, url: URL, options: ConnectionsOptions): void {
  sendPage(incoming, 200, renderGoOnPage(`Continue to ${url.host}`, url.href), options)
}

function sendFailure(incoming: EndpointRequest, error: unknown, options: ConnectionsOptions): void {
  const found = findAccountError(error)
  if (found === undefined) throw error
  sendError(incoming, found, error, options)
}

function sendError(incoming: EndpointRequest, error: SignInError, cause: unknown, options: ConnectionsOptions): void {
  sendSignInError(incoming, error, cause, options)
}
