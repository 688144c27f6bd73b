import { createHmac } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Clock } from '../../core/clock.ts'
import type { Encryption } from '../../core/encryption.ts'
import { hashId } from '../../core/hash-id.ts'
import { isSameText } from '../../core/same-text.ts'
import { createCookieId, createSecret, createSecretCookies, type Exchange, type SecretCookies } from './secret-cookies.ts'
import { SIGN_IN_MINUTES } from './sign-in-errors.ts'

/**
 * Tells one browser from another, so that what begins in one cannot end in another. It says nothing of who is signed in. Each sign-in has
 * a cookie of its own, since several go on at the same time, and each of its steps a new secret, since a former user of the browser may
 * know those of before (session fixation).
 */
export interface BrowserCookie {
  /** Whether the browser has this secret. */
  has(request: IncomingMessage, secret: string): boolean
  /** As {@link has}, if no other user than this one has signed in there since: they could end what the first has begun for themselves. */
  hasOf(request: IncomingMessage, secret: string, subject: string): boolean
  /** As {@link has}, for the digest of a secret (`hashId`). */
  hasDigest(request: IncomingMessage, digest: string): boolean
  /** A secret of the browser for the forms of pages, a new one unless it has one. */
  findOrSet(exchange: Exchange): string
  /**
   * Gives a sign-in a new secret in the place of the one that it had.
   *
   * @param signIn - names it: the same with each step
   * @param subject - who has signed in; undefined where a sign-in only begins
   */
  renew(exchange: Exchange, signIn: string, subject?: string): string
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
/** Of the name of a cookie: enough that two sign-ins of one browser don't have the same. */
const ID = 8

/** @param encryption - for keys of cookies, of form tokens, and of what tells the users of secrets apart */
export function createBrowserCookie(isSecure: boolean, encryption: Pick<Encryption, 'derive'>, clock: Clock): BrowserCookie {
  const [key = ''] = encryption.derive('forms')
  // A page may be open for long; a sign-in is not.
  const pages = createSecretCookies({ plainName: 'mcp-page', isSecure, seconds: undefined, encryption, clock })
  const signIns = createSecretCookies({ plainName: 'mcp-browser', isSecure, seconds: SIGN_IN_MINUTES * 60, encryption, clock })
  const createFormToken = (secret: string, purpose: string): string =>
    createHmac('sha256', key)
      .update(JSON.stringify([secret, purpose]))
      .digest('base64url')
  const listSecrets = (cookies: SecretCookies, request: IncomingMessage) => cookies.list(request).map(({ secret }) => secret)
  return {
    has: (request, secret) => listSecrets(signIns, request).some((one) => isSameText(one, secret)),
    hasOf(request, secret, subject) {
      const secrets = signIns.list(request)
      const found = secrets.find((one) => isSameText(one.secret, secret))
      return found !== undefined && !secrets.some((one) => one.at >= found.at && isOfOther(one.secret, subject, key))
    },
    hasDigest: (request, digest) => listSecrets(signIns, request).some((one) => isSameText(hashId(one), digest)),
    findOrSet(exchange) {
      const [known] = listSecrets(pages, exchange.request)
      if (known !== undefined) return known
      const secret = createSecret()
      pages.set(exchange, { id: createCookieId(), secret })
      return secret
    },
    renew(exchange, signIn, subject) {
      const id = hashId(signIn).slice(0, ID)
      const secret = subject === undefined ? createSecret() : formatOfUser(createSecret(), subject, key)
      signIns.set(exchange, { id, secret })
      return secret
    },
    createFormToken,
    isOwnForm: (request, purpose, token) =>
      listSecrets(pages, request).some((secret) => isSameText(createFormToken(secret, purpose), token)),
  }
}

/** The secret of a user that has this chance: the first characters of a secret. */
function formatOfUser(secret: string, subject: string, key: string): string {
  const chance = secret.slice(0, CHANCE)
  const code = createHmac('sha256', key).update(JSON.stringify([chance, 'user', subject]))
  return `${chance}${code.digest('base64url').slice(0, CODE)}${OF_USER}`
}

function isOfOther(secret: string, subject: string, key: string): boolean {
  return secret.endsWith(OF_USER) && !isSameText(secret, formatOfUser(secret, subject, key))
}
