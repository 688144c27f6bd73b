import { formatForeignName, formatFormTarget, formatRedirectHost, type Page, renderPage } from '../broker/pages/page.ts'
import { escapeHtml } from '../core/html.ts'
import { IDENTITY_SCOPE, type Scope, type User } from './users.ts'

/** Who asks for access, as far as it is known. Everything but the redirect URI is the client's own claim. */
export interface Asking {
  readonly clientName: string
  readonly redirectUri: string
}

/** Asks for name and password. */
export function renderSignInPage(asking: Asking, attempt?: { name: string }): Page {
  const failure = attempt ? '<p class="bad" role="alert" id="failure">Name or password is wrong.</p>' : ''
  const described = attempt ? ' aria-describedby="failure" aria-invalid="true"' : ''
  return renderAskingPage(
    'Sign in',
    `<h1>Sign in to continue to ${formatClient(asking)}</h1>
${failure}
<form method="post">
<label for="name">Name</label>
<input id="name" name="name" autocomplete="username" autocapitalize="none" spellcheck="false" required value="${escapeHtml(attempt?.name ?? '')}"${described}${attempt ? '' : ' autofocus'}>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required${described}${attempt ? ' autofocus' : ''}>
<button class="main" name="action" value="sign-in">Sign in</button>
<button name="action" value="cancel" formnovalidate>Cancel</button>
<p class="quiet">This is the demo's authorization server. Its sample users and their passwords stand in the terminal that it was started from.</p>
</form>`,
    asking,
  )
}

/** Asks whether the client may have the scopes. */
export function renderConsentPage(asking: Asking, user: User, resource: string | undefined, wanted: readonly Scope[]): Page {
  const mayGrant = (scope: Scope) => scope === IDENTITY_SCOPE || user.mayGrant.includes(scope.name)
  const permitted = wanted.filter(mayGrant)
  const refused = wanted.filter((scope) => !mayGrant(scope))
  return renderAskingPage(
    'Allow access?',
    `<h1>Allow ${formatClient(asking)} to act on your behalf?</h1>
<p>It asks to${resource === undefined ? '' : ` use <code>${escapeHtml(resource)}</code> and to`}:</p>
${renderScopes(permitted)}
${refused.length === 0 ? '' : `<p>It also asks for this, which you may not give away. It will not get it:</p>${renderScopes(refused)}`}
<p>You will be redirected to <strong>${escapeHtml(formatRedirectHost(asking.redirectUri))}</strong>.</p>
<p class="quiet">“${formatClient(asking)}” is the name that the application gave itself. Go on only if you have just started this yourself.</p>
<form method="post">
${permitted.length === 0 ? '' : '<button class="main" name="action" value="allow">Allow</button>'}
<button name="action" value="cancel">Deny</button>
<p class="quiet">Signed in as ${escapeHtml(user.displayName)}. <button class="link" name="action" value="switch">Use another account</button></p>
</form>`,
    asking,
  )
}

const FORGOTTEN = `<p>This authorization server forgets its clients when it stops. If the application was registered in an earlier run, remove the MCP server from it and add it again.</p>
`

/** Says what went wrong where no client can be told. */
export function renderErrorPage(problem: { error: string; error_description?: string | undefined }): Page {
  return renderAskingPage(
    'That did not work',
    `<h1>That did not work</h1>
<p role="alert">${escapeHtml(problem.error_description ?? 'The request could not be completed.')}</p>
${problem.error === 'invalid_client' ? FORGOTTEN : ''}<p>Go back to the application and start again.</p>
<p class="quiet">Error code: <code>${escapeHtml(problem.error)}</code></p>`,
  )
}

function formatClient({ clientName }: Asking): string {
  return escapeHtml(formatForeignName(clientName) || 'An application with no name')
}

function renderScopes(scopes: readonly Scope[]): string {
  return `<ul>${scopes.map(({ name, description }) => `<li>${escapeHtml(description)} <code class="quiet">${escapeHtml(name)}</code></li>`).join('')}</ul>`
}

function renderAskingPage(title: string, content: string, asking?: Asking): Page {
  return renderPage({ title, content, formTarget: asking && formatFormTarget(asking.redirectUri) })
}
