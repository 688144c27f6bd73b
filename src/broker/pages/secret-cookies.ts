import { createHmac, randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '../../core/clock.ts'
import type { Encryption } from '../../core/encryption.ts'
import { isSameText } from '../../core/same-text.ts'

export interface NamedSecret {
  /** What the cookie is for: a name without meaning, of letters, digits, `-` and `_`. */
  readonly id: string
  readonly secret: string
}

interface DatedSecret extends NamedSecret {
  /** When we set it, in milliseconds since the epoch: two that were set at the same time have the same. */
  readonly at: number
}

interface FoundSecret extends DatedSecret {
  /** Of several cookies of one name none can be trusted: a sibling site may have set one of them. */
  readonly isRepeated: boolean
}

/**
 * Cookies with secrets that tell a browser, of which no other site can set one. Each has a name of its own: with one cookie for all, the
 * answers to requests of the same moment would undo each other's change.
 */
export interface SecretCookies {
  /** The secrets of the browser, the newest first. */
  list(request: IncomingMessage): readonly DatedSecret[]
  /** As {@link list}, with those that are not trusted now because another cookie has their name, but were set by us. */
  listAll(request: IncomingMessage): readonly DatedSecret[]
  /** Sets a secret, in the place of the one before of that id, and removes the oldest of those that are too many. */
  set(exchange: Exchange, named: NamedSecret): void
  remove(response: ServerResponse, id: string): void
}

export interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

export interface SecretCookiesOptions {
  /** What the names of the cookies begin with. */
  readonly plainName: string
  /** Whether browsers reach us by https; without it (on this machine alone) the cookies can't have the `__Host-` prefix. */
  readonly isSecure: boolean
  /** How long a browser keeps one, in seconds; undefined for as long as it is open. */
  readonly seconds: number | undefined
  /** For the codes of cookies. */
  readonly encryption: Pick<Encryption, 'derive'>
  readonly clock: Clock
}

/** Of one browser and name. They are sent with each of its requests, some 110 bytes each. */
const MAX_SECRETS = 16
/** When it was set, in milliseconds of base 36, the secret, and the code of both and of the cookie's name. */
const VALUE = /^([0-9a-z]{9})([\w-]{43})([\w-]{22})$/
/** Characters of a code (132 bits). */
const CODE = 22
const ID = /^[\w-]{1,16}$/
const LEADING_BLANKS = /^[ \t]+/

export function createSecretCookies(options: SecretCookiesOptions): SecretCookies {
  const { plainName, isSecure, seconds, clock } = options
  const prefix = `${isSecure ? '__Host-' : ''}${plainName}-`
  const codes = createCodes(options.encryption)
  const send = (response: ServerResponse, id: string, value: string, age: number | undefined): void => {
    const end = age === undefined ? '' : `; Max-Age=${age}`
    const rest = `Path=/${end}; HttpOnly; SameSite=Lax${isSecure ? '; Secure' : ''}`
    response.appendHeader('set-cookie', `${prefix}${id}=${value}; ${rest}`)
  }
  const remove = (response: ServerResponse, id: string): void => send(response, id, '', 0)
  const listAll = (request: IncomingMessage) => listFound(request, prefix, codes)
  return {
    list: (request) =>
      listAll(request)
        .filter(({ isRepeated }) => !isRepeated)
        .slice(0, MAX_SECRETS),
    listAll,
    set({ request, response }, { id, secret }) {
      const known = listAll(request)
      const others = known.filter((other) => other.id !== id)
      for (const { id: oldest } of others.slice(MAX_SECRETS - 1)) remove(response, oldest)
      // Later than all others of the browser, also where another process has set them by another clock.
      const at = Math.max(clock.wall(), 1 + (known[0]?.at ?? 0))
      const content = `${at.toString(36).padStart(9, '0')}${secret}`
      send(response, id, `${content}${codes.create(prefix + id, content)}`, seconds)
    },
    remove,
  }
}

interface Codes {
  create(name: string, content: string): string
  isOwn(code: string, name: string, content: string): boolean
}

/** A user of the browser can edit its cookies: with another time, one of theirs would count as newer than those of the next user. */
function createCodes({ derive }: Pick<Encryption, 'derive'>): Codes {
  const keys = derive('secret-cookies')
  const [current] = keys
  if (current === undefined) throw new Error('cookies need a key')
  const format = (key: string, name: string, content: string): string =>
    createHmac('sha256', key)
      .update(JSON.stringify([name, content]))
      .digest('base64url')
      .slice(0, CODE)
  return {
    create: (name, content) => format(current, name, content),
    isOwn: (code, name, content) => keys.some((key) => isSameText(code, format(key, name, content))),
  }
}

/** The newest first. */
function listFound(request: IncomingMessage, prefix: string, codes: Codes): readonly FoundSecret[] {
  const own = listCookies(request).filter(({ name }) => name.startsWith(prefix))
  const names = own.map(({ name }) => name)
  const repeated = new Set(names.toSorted().filter((name, index, sorted) => name === sorted[index + 1]))
  // Once for each, however often it was sent: each is looked up in the store.
  return [...new Map(own.map((cookie) => [`${cookie.name}=${cookie.value}`, cookie])).values()]
    .flatMap(({ name, value }) =>
      readSecret(name, value, prefix, codes).map((named) => ({ ...named, isRepeated: repeated.has(name) })),
    )
    .toSorted((one, other) => other.at - one.at)
}

/** Anyone may send cookies: no code is computed for those that can have none of ours. */
function readSecret(name: string, value: string, prefix: string, codes: Codes): readonly DatedSecret[] {
  const id = name.slice(prefix.length)
  const [, at, secret, code] = VALUE.exec(value) ?? []
  if (at === undefined || secret === undefined || code === undefined || !ID.test(id)) return []
  return codes.isOwn(code, name, at + secret) ? [{ id, at: Number.parseInt(at, 36), secret }] : []
}

/** For a cookie that is named after nothing. */
export function createCookieId(): string {
  return randomBytes(6).toString('base64url')
}

export function createSecret(): string {
  return randomBytes(32).toString('base64url')
}

/** The values of all cookies of a name. */
export function readCookies(request: Pick<IncomingMessage, 'headers'>, name: string): string[] {
  return listCookies(request).flatMap((cookie) => (cookie.name === name ? [cookie.value] : []))
}

/**
 * Of names only the blanks are left out that browsers leave out as well (RFC 6265 §5.2): with another space in front, a sibling site could
 * set a name that we take for one of `__Host-`. No expression with `\s*$` reads it: that takes quadratic time over blanks.
 */
function listCookies({ headers }: Pick<IncomingMessage, 'headers'>): { readonly name: string; readonly value: string }[] {
  return (headers.cookie ?? '').split(';').flatMap((pair) => {
    const end = pair.indexOf('=')
    return end < 0 ? [] : [{ name: pair.slice(0, end).replace(LEADING_BLANKS, ''), value: pair.slice(end + 1).trimEnd() }]
  })
}
