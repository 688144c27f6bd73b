import { createHash } from 'node:crypto'
import { type BrandPlan, renderBrand, renderIcon } from '../core/brand.ts'
import type { ProxyError } from '../core/errors.ts'
import { escapeHtml } from '../core/html.ts'
import type { ReplyHeaders } from '../core/reply.ts'
import type { Exchange } from './exchange.ts'

const STYLE =
  ':root{color-scheme:light dark}body{max-width:38rem;margin:3rem auto;padding:0 1rem;font:1rem/1.5 system-ui,sans-serif;overflow-wrap:anywhere}h1{font-size:1.35rem}code{font-size:1rem}.brand{display:flex;align-items:center;gap:.75rem;margin-bottom:1.5rem;font-weight:600}.brand img{max-width:10rem;max-height:3rem}'
const STYLE_SOURCE = `'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`

/** For people: no script, nothing from elsewhere, in no frame. */
const HEADERS: Readonly<ReplyHeaders> = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': `default-src 'none'; style-src ${STYLE_SOURCE}; img-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'`,
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  vary: 'Accept',
}

/** The answer's body, and the headers that say what it is. */
export interface BrowserPage {
  readonly headers: Readonly<ReplyHeaders>
  readonly html: string
}

/**
 * Tells a person who opened the address in a browser what it is. Status and challenge stay those of the refusal, since it may be a client
 * after all; nothing of the request stands on the page, and no path that the request does not name already.
 *
 * @returns undefined for everything that is not a browser without a token that opens a page
 */
export function findBrowserPage({ request, record, route, edge }: Exchange, { code }: ProxyError): BrowserPage | undefined {
  if (!isNavigation(request)) return undefined
  if (code === 'token_missing' && route !== undefined)
    return { headers: HEADERS, html: render(describeServer(route.resource.identifier), edge.brand) }
  return code === 'route_not_found' && record.path === '/' ? { headers: HEADERS, html: render(ROOT, edge.brand) } : undefined
}

/** MCP clients ask for JSON and event streams; only a browser that opens a page prefers HTML (Fetch Metadata §2.3: `navigate`). */
function isNavigation({ method, headers }: Exchange['request']): boolean {
  const { accept = '', authorization, 'sec-fetch-mode': mode = 'navigate' } = headers
  if ((method !== 'GET' && method !== 'HEAD') || authorization !== undefined || mode !== 'navigate') return false
  return /^text\/html(?:[,;]|$)/i.test(accept.trim()) && !/event-stream|application\/json/i.test(accept)
}

interface PageText {
  readonly title: string
  /** In HTML. */
  readonly content: string
}

const ROOT: PageText = {
  title: 'An MCP server is here',
  content:
    '<p>This address belongs to servers of the Model Context Protocol (MCP). They are used from an application such as an AI assistant, not from a browser.</p><p>Ask your administrator for the URL of the server that you want, and enter it in your application.</p>',
}

function describeServer(url: string): PageText {
  return {
    title: 'This is an MCP server',
    content: `<p>It speaks the Model Context Protocol (MCP), and is used from an application such as an AI assistant, not from a browser.</p><p>To connect, enter this URL in your application:</p><p><code>${escapeHtml(url)}</code></p><p>The application then opens a page where you sign in.</p>`,
  }
}

function render({ title, content }: PageText, brand: BrandPlan): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title>${renderIcon(brand)}<style>${STYLE}</style></head>
<body><main>${renderBrand(brand)}<h1>${title}</h1>${content}</main></body></html>
`
}
