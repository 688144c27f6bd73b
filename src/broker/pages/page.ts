import { createHash } from 'node:crypto'
import { isLoopbackHost } from '../../core/addresses.ts'
import { NO_BRAND, renderBrand, renderIcon } from '../../core/brand.ts'
import { escapeHtml } from '../../core/html.ts'

/** A page and the headers that it must be sent with. */
export interface Page {
  readonly html: string
  readonly headers: Readonly<Record<string, string>>
}

export interface PageContent {
  readonly title: string
  /** HTML of the body; every text in it is escaped already. */
  readonly content: string
  /** Where forms of the page may lead besides this very origin: browsers apply it to the redirects that follow, too. */
  readonly formTarget?: string | undefined
  /** Where the browser goes on to by itself. */
  readonly goOn?: string | undefined
  /** Seconds after which it does. Default: at once. */
  readonly goOnSeconds?: number | undefined
}

const STYLE = `
:root { color-scheme: light dark; --ground: #f4f5f7; --card: #fff; --text: #1c2024; --quiet: #5b6570; --line: #d5dae0; --accent: #1257a8; --on-accent: #fff; --bad: #a61b1b; --warn: #fff4d6; --on-warn: #5c4300; }
@media (prefers-color-scheme: dark) { :root { --ground: #14171a; --card: #1e2327; --text: #e9ecef; --quiet: #a8b2bc; --line: #3a424a; --accent: #7db7ff; --on-accent: #0b1a2c; --bad: #ff9c9c; --warn: #3d3210; --on-warn: #ffe6a3; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem; background: var(--ground); color: var(--text); font: 1rem/1.5 system-ui, sans-serif; }
main { width: 100%; max-width: 27rem; padding: 2rem; background: var(--card); border: 1px solid var(--line); border-radius: .75rem; overflow-wrap: anywhere; }
.brand { display: flex; align-items: center; gap: .75rem; margin-bottom: 1.5rem; font-weight: 600; }
.brand img { max-width: 10rem; max-height: 3rem; }
h1 { margin: 0 0 1rem; font-size: 1.35rem; line-height: 1.3; }
p, ul { margin: 0 0 1rem; }
h1, p { overflow: clip; overflow-clip-margin: .3rem; }
ul { padding-left: 1.25rem; }
code { overflow-wrap: anywhere; }
li { margin-bottom: .4rem; }
li code { display: block; }
label { display: block; margin-bottom: .25rem; font-weight: 600; }
input { width: 100%; margin-bottom: 1rem; padding: .6rem .75rem; border: 1px solid var(--quiet); border-radius: .4rem; background: transparent; color: inherit; font: inherit; }
button { width: 100%; margin-top: .5rem; padding: .65rem 1rem; border: 1px solid var(--accent); border-radius: .4rem; background: transparent; color: var(--accent); font: inherit; font-weight: 600; cursor: pointer; }
button.main { background: var(--accent); color: var(--on-accent); }
button.link { width: auto; margin: 0; padding: 0; border: 0; text-decoration: underline; font-weight: 400; }
button + p { margin-top: 1rem; }
main > :last-child, form > :last-child { margin-bottom: 0; }
a { color: var(--accent); }
a.main { display: block; padding: .65rem 1rem; border-radius: .4rem; background: var(--accent); color: var(--on-accent); font-weight: 600; text-align: center; text-decoration: none; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.quiet { color: var(--quiet); font-size: .9rem; }
.bad { color: var(--bad); font-weight: 600; }
.warn { padding: .75rem 1rem; border-radius: .4rem; background: var(--warn); color: var(--on-warn); }
@media (max-width: 30rem) { body { place-items: start center; padding: .5rem; } main { padding: 1.25rem; } }
`

const STYLE_SOURCE = `'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`

/** A page for users: no script, no external resources, not in a frame. */
export function renderPage({ title, content, formTarget, goOn, goOnSeconds = 0 }: PageContent, brand = NO_BRAND): Page {
  const target = formTarget === undefined ? '' : ` ${formTarget}`
  const refresh = goOn === undefined ? '' : `<meta http-equiv="refresh" content="${goOnSeconds};url=${escapeHtml(goOn)}">`
  return {
    html: `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeHtml(title)}</title>${renderIcon(brand)}${refresh}<style>${STYLE}</style></head>
<body><main>${renderBrand(brand)}${content}</main></body>
</html>`,
    headers: {
      'Content-Type': 'text/html; charset=utf-8',
      'Content-Security-Policy': `default-src 'none'; style-src ${STYLE_SOURCE}; img-src data:; form-action 'self'${target}; base-uri 'none'; frame-ancestors 'none'`,
      'X-Frame-Options': 'DENY',
      'Cache-Control': 'no-store',
      'Referrer-Policy': 'same-origin',
      'X-Content-Type-Options': 'nosniff',
    },
  }
}

/** A page that redirects by itself, with a link in case the browser doesn't. */
export function renderGoOnPage(title: string, target: string): PageContent {
  const content = `<h1>${escapeHtml(title)}</h1><p><a href="${escapeHtml(target)}">Continue</a></p>`
  return { title, content, goOn: target }
}

const NAME_LENGTH = 80

/** No script puts more than two marks above or below a letter; more of them are drawn over the lines around it. */
const TOO_MANY_MARKS = /(\p{Mn}{2})\p{Mn}+/gu

/**
 * An untrusted name: at most 80 characters, without those that reverse, hide, break or cover the text around it. Empty where
 * nothing would be seen of it.
 */
export function formatForeignName(name: string): string {
  const visible = name.replace(/[\p{Cc}\p{Cf}\p{Me}\p{Zl}\p{Zp}\p{Co}\p{Cs}\p{Default_Ignorable_Code_Point}\u2800]/gu, '')
  const plain = visible.normalize('NFC').replace(TOO_MANY_MARKS, '$1').trim()
  if (!/[\p{L}\p{N}\p{P}\p{S}]/u.test(plain)) return ''
  const characters = [...plain]
  return characters.length > NAME_LENGTH ? `${characters.slice(0, NAME_LENGTH - 1).join('')}…` : plain
}

/** Where a redirect URI leads, as a person should read it. */
export function formatRedirectHost(redirectUri: string): string {
  const target = URL.parse(redirectUri)
  if (!target) return redirectUri
  return isOnThisComputer(redirectUri) ? `an application on this computer (${formatPlace(target)})` : target.host
}

function formatPlace(target: URL): string {
  return /^https?:$/.test(target.protocol) ? target.host : target.protocol
}

/** Whether a redirect URI leads to whatever application takes it on the user's own computer. */
export function isOnThisComputer(redirectUri: string): boolean {
  const target = URL.parse(redirectUri)
  // A final dot is the root of all names: it leads to the same place.
  return target === null || !/^https?:$/.test(target.protocol) || isLoopbackHost(target.hostname.replace(/\.$/, ''))
}

/** What `form-action` must name so that a redirect to the client may follow a form. */
export function formatFormTarget(redirectUri: string): string | undefined {
  const target = URL.parse(redirectUri)
  if (!target) return undefined
  return /^https?:$/.test(target.protocol) ? target.origin : target.protocol
}
