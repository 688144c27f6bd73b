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
  /** As {@link has}, for the digest of a secret (`hashId`). */
  hasDigest(request: IncomingMessage, digest: string): boolean
  /** The newest secret of the browser, a new one unless it has one. */
  findOrSet(request: IncomingMessage, response: ServerResponse): string
  /** A new secret of the browser, beside those of before. Once for each response. */
  renew(request: IncomingMessage, response: ServerResponse): string
  /** A value for a form that only a page of ours, shown to this browser for this purpose, can hold. */
  createFormToken(secret: string, purpose: string): string
  /** Whether a form has a token that was made with one of the browser's secrets. */
  isOwnForm(request: IncomingMessage, purpose: string, token: string): boolean
}

/** @param key - for form tokens */
export function createBrowserCookie(isSecure: boolean, key: string): BrowserCookie {
  const cookie = createSecretCookie('mcp-browser', isSecure)
  const createFormToken = (secret: string, purpose: string): string =>
    createHmac('sha256', key)
      .update(JSON.stringify([secret, purpose]))
      .digest('base64url')
  const renew = (request: IncomingMessage, response: ServerResponse): string => {
    const secret = createSecret()
    cookie.set(response, [secret, ...cookie.list(request)])
    return secret
  }
  return {
    has: (request, secret) => cookie.list(request).some((one) => isSameText(one, secret)),
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
