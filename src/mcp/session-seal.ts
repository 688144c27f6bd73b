import { createHmac, timingSafeEqual } from 'node:crypto'
import { BoundedMap } from '../core/bounded-map.ts'
import { formatPrincipalKey, type Principal } from '../core/principal.ts'

/**
 * Binds what an upstream names (MCP session ids, the message endpoint of HTTP+SSE, tasks) to the principal and server that it was named to,
 * without keeping state: the client carries it with an authentication code in front. A session id is no credential ("MUST NOT use
 * sessions for authentication", 2025-11-25 security best practices), and someone else's is of no use.
 */
export interface SessionSeal {
  /** Returns what the client gets to see: letters, digits, `-`, `_`, `.`, and whatever `value` is made of. */
  seal(value: string, purpose: SealPurpose, server: string, principal: Principal): string
  /** Returns the value, or undefined when the seal is not of this server, purpose and principal. */
  open(sealed: string, purpose: SealPurpose, server: string, principal: Principal): string | undefined
}

export type SealPurpose = 'mcp-session' | 'sse-endpoint' | 'task' | 'request-state'

/** 128 bits of HMAC-SHA-256, in base64url. */
const CODE_LENGTH = 22
/** Opened seals that are remembered, so that each message of a session costs no HMAC. */
const MAX_REMEMBERED = 10_000
/** Longer ones (a request state may be any text) are looked at anew each time. */
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

/** JSON keeps the parts apart whatever they contain. Remembered for as long as the verified token is. */
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
