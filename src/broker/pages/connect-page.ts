import { escapeHtml } from '../../core/html.ts'
import { formatForeignName, type PageContent } from './page.ts'

/** Time to read where the browser goes. */
const READING_SECONDS = 3

/** Leads on to the authorization server of an MCP server, in the course of a sign-in. */
export function renderConnectPage(step: {
  readonly clientName: string
  readonly server: string
  readonly target: URL
  readonly signedInAs: string
}): PageContent {
  const name = escapeHtml(formatForeignName(step.clientName) || 'the application')
  const href = escapeHtml(step.target.href)
  return {
    title: 'Connect your account',
    goOn: step.target.href,
    goOnSeconds: READING_SECONDS,
    content: `<h1>Connect your account</h1>
<p>${name} uses <strong>${escapeHtml(step.server)}</strong> on your behalf, which needs your account at <strong>${escapeHtml(step.target.host)}</strong>.</p>
<p>Sign in there and allow access. You can disconnect the account at any time.</p>
<p><a class="main" href="${href}">Continue to ${escapeHtml(step.target.host)}</a></p>
<p class="quiet">Signed in as ${escapeHtml(formatForeignName(step.signedInAs))}. The account is connected for this user.</p>`,
  }
}

/** Asks a user, who followed a link, whether to connect an account. */
export interface ConnectQuestion {
  readonly server: string
  /** To which the user goes. */
  readonly host: string
  /** The client whose call needs the account; undefined for none. */
  readonly clientName: string | undefined
  /** Scopes beside the usual ones. */
  readonly scopes: readonly string[]
  readonly signedInAs: string
  readonly formToken: string
}

export function renderConnectQuestion(question: ConnectQuestion): PageContent {
  const { server, host, scopes, signedInAs, formToken } = question
  const name = formatForeignName(question.clientName ?? '')
  const why =
    name === ''
      ? ''
      : `<p>“${escapeHtml(name)}” called this server for you. That is the name that the application gave itself.</p>\n`
  const more = scopes.map((scope) => `<li><code>${escapeHtml(formatForeignName(scope))}</code></li>`)
  return {
    title: 'Connect your account?',
    content: `<h1>Connect your account at ${escapeHtml(host)}?</h1>
<p>The MCP server <strong>${escapeHtml(server)}</strong> needs it. Applications that you have allowed to use this server will act with that account.</p>
${why}${more.length === 0 ? '' : `<p>It also needs these permissions:</p>\n<ul>${more.join('')}</ul>\n`}<form method="post">
<input type="hidden" name="form_token" value="${escapeHtml(formToken)}">
<input type="hidden" name="host" value="${escapeHtml(host)}">
<button class="main" name="action" value="connect">Continue to ${escapeHtml(host)}</button>
</form>
<p class="quiet">Signed in as ${escapeHtml(formatForeignName(signedInAs))}. Continue only if you started this yourself.</p>`,
  }
}

/** An MCP server in the list of a user's accounts. */
export interface ListedAccount {
  readonly server: string
  /** Host of the authorization server; undefined where none is connected. */
  readonly host: string | undefined
  readonly scopes: readonly string[]
}

/** Lists the accounts of a user. */
export function renderConnections(
  accounts: readonly ListedAccount[],
  { signedInAs, formToken, anotherUrl }: { readonly signedInAs: string; readonly formToken: string; readonly anotherUrl: string },
): PageContent {
  return {
    title: 'Your accounts',
    content: `<h1>Your accounts</h1>
<p class="quiet">Signed in as ${escapeHtml(formatForeignName(signedInAs))}. <a href="${escapeHtml(anotherUrl)}">Use another account</a></p>
${accounts.map((account) => renderAccount(account, formToken)).join('\n')}`,
  }
}

function renderAccount({ server, host, scopes }: ListedAccount, formToken: string): string {
  const action = host === undefined ? 'connect' : 'disconnect'
  const permissions =
    scopes.length === 0 ? '' : ` with these permissions: <code>${escapeHtml(formatForeignName(scopes.join(' ')))}</code>`
  const state =
    host === undefined ? 'Not connected.' : `Connected to your account at <strong>${escapeHtml(host)}</strong>${permissions}.`
  return `<form method="post">
<p><strong>${escapeHtml(server)}</strong><br>${state}</p>
<input type="hidden" name="form_token" value="${escapeHtml(formToken)}">
<input type="hidden" name="server" value="${escapeHtml(server)}">
<button${host === undefined ? ' class="main"' : ''} name="action" value="${action}">${host === undefined ? 'Connect' : 'Disconnect'}</button>
</form>`
}
