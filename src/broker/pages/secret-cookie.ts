import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'

/** A cookie with secrets that tell a browser, of which no other site can set one. */
export interface SecretCookie {
  /** The secrets of the browser, in their order; empty where it has none. */
  list(request: IncomingMessage): readonly string[]
  set(response: ServerResponse, secrets: readonly string[]): void
}

const SECRETS = /^[\w-]{43}(?:\.[\w-]{43}){0,7}$/
/** Of one cookie. */
export const MAX_SECRETS = 8

/**
 * @param isSecure - whether browsers reach us by https; without it (on this machine alone) the cookie can't have the `__Host-` prefix
 * @param seconds - how long a browser keeps it; undefined for as long as it is open
 */
export function createSecretCookie(plainName: string, isSecure: boolean, seconds?: number): SecretCookie {
  const name = isSecure ? `__Host-${plainName}` : plainName
  const age = seconds === undefined ? '' : `; Max-Age=${seconds}`
  return {
    list(request) {
      const [value, ...more] = readCookies(request, name)
      // Of several cookies of one name none can be trusted: a sibling site may have set one of them.
      return value !== undefined && more.length === 0 && SECRETS.test(value) ? value.split('.') : []
    },
    set(response, secrets) {
      const value = secrets.slice(0, MAX_SECRETS).join('.')
      response.appendHeader('set-cookie', `${name}=${value}; Path=/${age}; HttpOnly; SameSite=Lax${isSecure ? '; Secure' : ''}`)
    },
  }
}

export function createSecret(): string {
  return randomBytes(32).toString('base64url')
}

/** The values of all cookies of a name. */
export function readCookies({ headers }: IncomingMessage, name: string): string[] {
  return (headers.cookie ?? '')
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1))
}
