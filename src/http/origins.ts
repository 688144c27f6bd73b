import { ProxyError } from '../core/errors.ts'
import type { CorsPlan } from '../core/plan/plan.ts'

/**
 * Pages that people use MCP clients on. Their requests carry one of our tokens or are refused anyway, and to their users a refused origin
 * looks like a server that does not work.
 */
const ORIGINS_OF_KNOWN_CLIENTS = [
  'https://claude.ai',
  'https://claude.com',
  'https://chatgpt.com',
  'https://vscode.dev',
  'https://insiders.vscode.dev',
]

/** Which origins may call. */
export interface OriginRules {
  /** Origins that may call, besides none at all. */
  readonly allowed: ReadonlySet<string> | '*'
  /** Whether any page of this machine may call: true where we serve this machine alone. */
  readonly allowLoopback: boolean
}

/** The rules that a configuration asks for: our own origin, those of well-known clients and the configured ones. */
export function createOriginRules({ allowedOrigins }: Pick<CorsPlan, 'allowedOrigins'>, publicUrl: string): OriginRules {
  if (allowedOrigins === '*') return { allowed: '*', allowLoopback: true }
  const allowed = new Set([publicUrl, ...ORIGINS_OF_KNOWN_CLIENTS, ...allowedOrigins])
  return { allowed, allowLoopback: isLoopbackOrigin(publicUrl) }
}

/**
 * Checks `Origin` (2026-07-28, streamable-http, Security & Endpoint: "If the `Origin` header is present and invalid, servers MUST
 * respond with HTTP 403 Forbidden"). Programs send none; pages cannot leave it out.
 *
 * @throws ProxyError `origin_denied`
 */
export function checkOrigin(origin: string | undefined, rules: OriginRules): void {
  if (origin === undefined || rules.allowed === '*' || rules.allowed.has(origin)) return
  if (rules.allowLoopback && isLoopbackOrigin(origin)) return
  throw new ProxyError('origin_denied', { cause: `Origin ${JSON.stringify(origin.slice(0, 200))}` })
}

/** Whether an origin is a page served from this machine. */
function isLoopbackOrigin(origin: string): boolean {
  return /^https?:\/\/(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/.test(origin)
}
