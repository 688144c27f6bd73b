import { createHmac, hash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { hashId } from '../../core/hash-id.ts'
import { createSecret, createSecretCookie } from './secret-cookie.ts'

/**
 * Tells one browser from another for as long as it is open, so that what begins in one cannot end in another. It says nothing of who is
 * signed in. Each sign-in begins with a new secret, since a former user of the browser may know those of before (session fixation); the
 * last of those stay beside it, for what goes on in other tabs.
 */
export interface BrowserCookie {
  /** Whether the browser has this secret. */
  has(request: IncomingMessage, secret: string): boolean
  /** As {@link has}, if no other user than this one has signed in there since: they could end what the first has begun for themselves. */
  hasOf(request: IncomingMessage, secret: string, subject: string): boolean
  /** As {@link has}, for the digest of a secret (`hashId`). */
  hasDigest(request: IncomingMessage, digest: string): boolean
  /** The newest secret of the browser, a new one unless it has one. */
  findOrSet(request: IncomingMessage, response: ServerResponse): string
  /**
   * A new secret of the browser, beside those of before. Once for each response.
   *
   * @param subject - who has signed in; undefined where a sign-in only begins
   */
  renew(request: IncomingMessage, response: ServerResponse, subject?: string): string
  /** A value for a form that only a page of ours, shown to this browser for this purpose, can hold. */
  createFormToken(secret: string, purpose: string): string
  /** Whether a form has a token that was made with one of the browser's secrets. */
  isOwnForm(request: IncomingMessage, purpose: string, token: string): boolean
}

/**
 * A secret that came of a sign-in: so many characters of chance (132 bits), a code that says whose it is, and an end that no secret of 32 bytes
 * has (RFC 4648 §3.5: what is left over of the last character is zero). The browser's user cannot hide whose it is: it would be another secret.
 */
const CHANCE = 22
const CODE = 20
const OF_USER = '-'

/** @param key - for form tokens, and for what tells the users of secrets apart */
export function createBrowserCookie(isSecure: boolean, key: string): BrowserCookie {
  const cookie = createSecretCookie('mcp-browser', isSecure)
  const createFormToken = (secret: string, purpose: string): string =>
    createHmac('sha256', key)
      .update(JSON.stringify([secret, purpose]))
      .digest('base64url')
  /** The secret of a user that has this chance: the first characters of a secret. */
  const formatOfUser = (secret: string, subject: string): string => {
    const chance = secret.slice(0, CHANCE)
    const code = createHmac('sha256', key).update(JSON.stringify([chance, 'user', subject]))
    return `${chance}${code.digest('base64url').slice(0, CODE)}${OF_USER}`
  }
  const isOfOther = (secret: string, subject: string): boolean =>
    secret.endsWith(OF_USER) && !isSameText(secret, formatOfUser(secret, subject))
  const renew = (request: IncomingMessage, response: ServerResponse, subject?: string): string => {
    const secret = subject === undefined ? createSecret() : formatOfUser(createSecret(), subject)
    cookie.set(response, [secret, ...cookie.list(request)])
    return secret
  }
  return {
    has: (request, secret) => cookie.list(request).some((one) => isSameText(one, secret)),
    hasOf(request, secret, subject) {
      const secrets = cookie.list(request)
      const index = secrets.findIndex((one) => isSameText(one, secret))
      return index !== -1 && !secrets.slice(0, index).some((newer) => isOfOther(newer, subject))
    },
    hasDigest: (request, digest) => cookie.list(request).some((one) => isSameText(hashId(one), digest)),
    findOrSet: (request, response) => cookie.list(request)[0] ?? renew(request, response),
    renew,
    createFormToken,
    isOwnForm: (request, purpose, token) =>
      cookie.list(request).some((secret) => isSameText(createFormToken(secret, purpose), token)),
  }
}

/** Whether two texts are the same, in a time that doesn't tell where they differ. */
export function isSameText(one: string, other: string): boolean {
  return timingSafeEqual(hash('sha256', one, 'buffer'), hash('sha256', other, 'buffer'))
}
