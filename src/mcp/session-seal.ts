import { createHmac, timingSafeEqual } from 'node:crypto'
import { BoundedMap } from '../core/bounded-map.ts'
import { formatPrincipalKey, type Principal } from '../core/principal.ts'

/**
 * Binds identifiers of an upstream (MCP session ids, the message endpoint of HTTP+SSE, tasks) to the principal and server that they were
 * issued to, without keeping state: the client gets them with an authentication code in front. A session id is no credential ("MUST NOT use
 * sessions for authentication", 2025-11-25 security best practices), and one of another user is of no use.
 */
export interface SessionSeal {
  /** Returns the value for the client: letters, digits, `-`, `_`, `.`, and the characters of `value`. */
  seal(value: string, purpose: SealPurpose, server: string, principal: Principal): string
  /** Returns the value, or undefined when the seal is not of this server, purpose and principal. */
  open(sealed: string, purpose: SealPurpose, server: string, principal: Principal): string | undefined
}

export type SealPurpose = 'mcp-session' | 'mcp-session-declared' | 'sse-endpoint' | 'task' | 'request-state'

/** 128 bits of HMAC-SHA-256, in base64url. */
const CODE_LENGTH = 22
/** Opened seals that are cached, so that not every message of a session costs an HMAC. */
const MAX_REMEMBERED = 10_000
/** Longer ones (a request state may be any text) are verified each time. */
const MAX_REMEMBERED_CHARACTERS = 1024

/** @param key - at least 32 bytes; the same key on all instances that serve the same sessions */
export function createSessionSeal(key: Buffer): SessionSeal {
  const opened = new BoundedMap<string, { readonly context: string; readonly value: string }>(MAX_REMEMBERED)

  const codeOf = (context: string, value: string): string =>
    createHmac('sha256', key).update(context).update('\0').update(value).digest('base64url').slice(0, CODE_LENGTH)

  const remember = (sealed: string, context: string, value: string): void => {
    if (sealed.length <= MAX_REMEMBERED_CHARACTERS) opened.set(sealed, { context, value })
  }

  return {
    seal(value, purpose, server, principal) {
      return `${codeOf(formatContext(purpose, server, principal), value)}.${value}`
    },
    open(sealed, purpose, server, principal) {
      const context = formatContext(purpose, server, principal)
      const known = opened.get(sealed)
      if (known) return known.context === context ? known.value : undefined
      if (sealed.charAt(CODE_LENGTH) !== '.') return undefined
      const value = sealed.slice(CODE_LENGTH + 1)
      if (!isSame(sealed.slice(0, CODE_LENGTH), codeOf(context, value))) return undefined
      remember(sealed, context, value)
      return value
    },
  }
}

const contexts = new WeakMap<Principal, Map<string, string>>()

/** JSON separates the parts unambiguously. Cached for as long as the verified token. */
function formatContext(purpose: SealPurpose, server: string, principal: Principal): string {
  const known = contexts.get(principal) ?? new Map<string, string>()
  contexts.set(principal, known)
  const place = `${purpose} ${server}`
  const context = known.get(place) ?? JSON.stringify([purpose, server, formatPrincipalKey(principal)])
  known.set(place, context)
  return context
}

function isSame(a: string, b: string): boolean {
  const left = Buffer.from(a)
  const right = Buffer.from(b)
  return left.length === right.length && timingSafeEqual(left, right)
}
