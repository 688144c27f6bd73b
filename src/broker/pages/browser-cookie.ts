import { createHmac, hash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'

/** Tells one browser from another for as long as it is open, so that what begins in one cannot end in another. */
export interface BrowserCookie {
  /** The browser's secret; undefined for a browser that has none yet. */
  find(request: IncomingMessage): string | undefined
  /** The browser's secret, a new one unless it has one. */
  findOrSet(request: IncomingMessage, response: ServerResponse): string
  /** A value for a form that only a page of ours, shown to this browser for this purpose, can hold. */
  createFormToken(secret: string, purpose: string): string
}

const SECRET = /^[\w-]{43}$/

/**
 * @param isSecure - whether browsers reach us by https; without it (on this machine alone) the cookie can't have the `__Host-` prefix
 * @param key - for form tokens
 */
export function createBrowserCookie(isSecure: boolean, key: string): BrowserCookie {
  const name = isSecure ? '__Host-mcp-browser' : 'mcp-browser'
  const find = (request: IncomingMessage): string | undefined => {
    const [value, ...more] = readCookies(request, name)
    // Of several cookies of one name none can be trusted: a sibling site may have set one of them.
    return value !== undefined && more.length === 0 && SECRET.test(value) ? value : undefined
  }
  return {
    find,
    findOrSet(request, response) {
      const known = find(request)
      if (known !== undefined) return known
      const secret = randomBytes(32).toString('base64url')
      response.appendHeader('set-cookie', `${name}=${secret}; Path=/; HttpOnly; SameSite=Lax${isSecure ? '; Secure' : ''}`)
      return secret
    },
    createFormToken: (secret, purpose) =>
      createHmac('sha256', key)
        .update(JSON.stringify([secret, purpose]))
        .digest('base64url'),
  }
}

/** The values of all cookies of a name. */
export function readCookies({ headers }: IncomingMessage, name: string): string[] {
  return (headers.cookie ?? '')
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1))
}

/** Whether two texts are the same, in a time that doesn't tell where they differ. */
export function isSameText(one: string, other: string): boolean {
  return timingSafeEqual(hash('sha256', one, 'buffer'), hash('sha256', other, 'buffer'))
}
