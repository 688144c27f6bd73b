import { createHash } from 'node:crypto'
import type { Scope, User } from './users.ts'

/** A page and the headers that it must be sent with. */
export interface Page {
  readonly html: string
  readonly headers: Readonly<Record<string, string>>
}

/** Who asks for access, as far as it is known. Everything but the redirect URI is the client's own claim. */
export interface Asking {
  readonly clientName: string
  readonly redirectUri: string
}

const STYLE = `
:root { color-scheme: light dark; --ground: #f4f5f7; --card: #fff; --text: #1c2024; --quiet: #5b6570; --line: #d5dae0; --accent: #1257a8; --on-accent: #fff; --bad: #a61b1b; }
@media (prefers-color-scheme: dark) { :root { --ground: #14171a; --card: #1e2327; --text: #e9ecef; --quiet: #a8b2bc; --line: #3a424a; --accent: #7db7ff; --on-accent: #0b1a2c; --bad: #ff9c9c; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem; background: var(--ground); color: var(--text); font: 1rem/1.5 system-ui, sans-serif; }
main { width: 100%; max-width: 27rem; padding: 2rem; background: var(--card); border: 1px solid var(--line); border-radius: .75rem; }
h1 { margin: 0 0 1rem; font-size: 1.35rem; line-height: 1.3; }
p, ul { margin: 0 0 1rem; }
ul { padding-left: 1.25rem; }
code { overflow-wrap: anywhere; }
label { display: block; margin-bottom: .25rem; font-weight: 600; }
input { width: 100%; margin-bottom: 1rem; padding: .6rem .75rem; border: 1px solid var(--quiet); border-radius: .4rem; background: transparent; color: inherit; font: inherit; }
button { width: 100%; margin-top: .5rem; padding: .65rem 1rem; border: 1px solid var(--accent); border-radius: .4rem; background: transparent; color: var(--accent); font: inherit; font-weight: 600; cursor: pointer; }
button.main { background: var(--accent); color: var(--on-accent); }
button.link { width: auto; margin: 0; padding: 0; border: 0; text-decoration: underline; font-weight: 400; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.quiet { color: var(--quiet); font-size: .9rem; }
.bad { color: var(--bad); font-weight: 600; }
`

const STYLE_SOURCE = `'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`

/** Asks for name and password. */
export function renderSignInPage(asking: Asking, attempt?: { name: string }): Page {
  const failure = attempt ? '<p class="bad" role="alert" id="failure">Name or password is wrong.</p>' : ''
  const described = attempt ? ' aria-describedby="failure" aria-invalid="true"' : ''
  return renderPage(
    'Sign in',
    `<h1>Sign in to continue to ${escapeHtml(asking.clientName)}</h1>
${failure}
<form method="post">
<label for="name">Name</label>
<input id="name" name="name" autocomplete="username" autocapitalize="none" spellcheck="false" required value="${escapeHtml(attempt?.name ?? '')}"${described}${attempt ? '' : ' autofocus'}>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required${described}${attempt ? ' autofocus' : ''}>
<button class="main" name="action" value="sign-in">Sign in</button>
<button name="action" value="cancel" formnovalidate>Cancel</button>
</form>
<p class="quiet">This is the demo's authorization server. Its sample users and their passwords stand in the terminal that it was started from.</p>`,
    asking,
  )
}

/** Asks whether the client may have the scopes. */
export function renderConsentPage(asking: Asking, user: User, resource: string | undefined, wanted: readonly Scope[]): Page {
  const permitted = wanted.filter(({ name }) => user.mayGrant.includes(name))
  const refused = wanted.filter(({ name }) => !user.mayGrant.includes(name))
  return renderPage(
    'Allow access?',
    `<h1>Allow ${escapeHtml(asking.clientName)} to act for you?</h1>
<p>It asks to${resource === undefined ? '' : ` use <code>${escapeHtml(resource)}</code> and to`}:</p>
${renderScopes(permitted)}
${refused.length === 0 ? '' : `<p>It also asks for this, which you may not give away. It will not get it:</p>${renderScopes(refused)}`}
<p>You will be sent back to <strong>${escapeHtml(formatRedirectHost(asking.redirectUri))}</strong>.</p>
<p class="quiet">“${escapeHtml(asking.clientName)}” is the name that the application gave itself. Go on only if you have just started this yourself.</p>
<form method="post">
${permitted.length === 0 ? '' : '<button class="main" name="action" value="allow">Allow</button>'}
<button name="action" value="cancel">Deny</button>
<p class="quiet">Signed in as ${escapeHtml(user.displayName)}. <button class="link" name="action" value="switch">Sign in as somebody else</button></p>
</form>`,
    asking,
  )
}

const FORGOTTEN = `<p>This authorization server forgets its clients when it stops. If the application was registered in an earlier run, remove the MCP server from it and add it again.</p>
`

/** Says what went wrong where no client can be told. */
export function renderErrorPage(problem: { error: string; error_description?: string | undefined }): Page {
  return renderPage(
    'That did not work',
    `<h1>That did not work</h1>
<p role="alert">${escapeHtml(problem.error_description ?? 'The request could not be completed.')}</p>
${problem.error === 'invalid_client' ? FORGOTTEN : ''}<p>Go back to the application that you came from and start again.</p>
<p class="quiet">Error code: <code>${escapeHtml(problem.error)}</code></p>`,
  )
}

function renderScopes(scopes: readonly Scope[]): string {
  return `<ul>${scopes.map(({ name, description }) => `<li>${escapeHtml(description)} <code class="quiet">${escapeHtml(name)}</code></li>`).join('')}</ul>`
}

function renderPage(title: string, content: string, asking?: Asking): Page {
  return {
    html: `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeHtml(title)}</title><style>${STYLE}</style></head>
<body><main>${content}</main></body>
</html>`,
    headers: {
      'Content-Type': 'text/html; charset=utf-8',
      'Content-Security-Policy': `default-src 'none'; style-src ${STYLE_SOURCE}; form-action 'self'${formatFormTarget(asking)}; base-uri 'none'; frame-ancestors 'none'`,
      'Cache-Control': 'no-store',
      'Referrer-Policy': 'same-origin',
      'X-Content-Type-Options': 'nosniff',
    },
  }
}

/** Browsers apply `form-action` to the redirects that follow a form too, so the client's address must stand there. */
function formatFormTarget(asking: Asking | undefined): string {
  const target = asking && URL.parse(asking.redirectUri)
  if (!target) return ''
  return ` ${/^https?:$/.test(target.protocol) ? target.origin : target.protocol}`
}

function formatRedirectHost(redirectUri: string): string {
  const target = URL.parse(redirectUri)
  if (!target) return redirectUri
  if (!/^https?:$/.test(target.protocol)) return `an application on this computer (${target.protocol})`
  const isLoopback = ['localhost', '127.0.0.1', '[::1]'].includes(target.hostname)
  return isLoopback ? `an application on this computer (${target.host})` : target.host
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
