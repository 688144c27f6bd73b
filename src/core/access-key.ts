import { hash, randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'

/** Begins every access key, so that people, secret scanners and we recognise one. */
const PREFIX = 'omap_'
const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
/** 62^43 is more than 2^256. */
const RANDOM_CHARACTERS = 43
/** 62^6 is more than 2^32. */
const CHECKSUM_CHARACTERS = 6
const FORM = new RegExp(`^${PREFIX}[0-9A-Za-z]{${RANDOM_CHARACTERS + CHECKSUM_CHARACTERS}}$`)

/** The issuer of principals whose key stands for no user of a real issuer. No issuer identifier has this form (RFC 8414 §2). */
export const ACCESS_KEY_ISSUER = 'urn:open-mcp-auth-proxy:keys'

/** What is known of an access key. Never the key itself. */
export interface AccessKey {
  /** SHA-256 of the key, in hexadecimal digits. The key has 256 random bits, so it cannot be found from there. */
  readonly digest: string
  /** `client_id` of its principal. Several keys may have one name, while one replaces the other. */
  readonly name: string
  /** Names of the servers that accept it. */
  readonly servers: readonly string[]
  readonly scopes: readonly string[]
  /** Addresses and CIDR blocks that it may come from; empty for all. */
  readonly addresses: readonly string[]
  /** The user that it stands for; undefined for none. */
  readonly user: { readonly issuer: string; readonly subject: string } | undefined
  /** Seconds since the epoch; undefined where that is not known. */
  readonly createdAt: number | undefined
  /** Seconds since the epoch. */
  readonly expiresAt: number
}

/** Whether a credential is meant as an access key, in capitals or cut off, too. It goes to no issuer, whatever else it holds. */
export function isAccessKey(credential: string): boolean {
  return BEGINNING.test(credential)
}

const BEGINNING = new RegExp(`^${PREFIX}`, 'i')

/** Takes out what may be a key: what operators write goes to logs, and some write the key where its name belongs. */
export function redactAccessKeys(text: string): string {
  return text.replace(KEYS_IN_TEXT, `${PREFIX}…`)
}

const KEYS_IN_TEXT = new RegExp(`${PREFIX}\\w{8,}`, 'gi')

/** A new key of 256 random bits. */
export function createAccessKey(): string {
  const random = PREFIX + formatNumber(BigInt(`0x${randomBytes(32).toString('hex')}`), RANDOM_CHARACTERS)
  return random + formatChecksum(random)
}

/** @returns the digest; undefined where characters are missing, mistyped or too many */
export function digestAccessKey(text: string): string | undefined {
  if (!FORM.test(text)) return undefined
  const random = text.slice(0, -CHECKSUM_CHARACTERS)
  return text.endsWith(formatChecksum(random)) ? hash('sha256', text, 'hex') : undefined
}

/** Whether a text can be the name of a key. */
export function isAccessKeyName(text: string): boolean {
  return /^[\w.-]+$/.test(text)
}

/** Whether a text has the form of {@link AccessKey.digest}. */
export function isAccessKeyDigest(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text)
}

/** What operators name one key by, where several have one name: a part of its digest. */
export function nameAccessKeyId({ digest }: Pick<AccessKey, 'digest'>): string {
  return digest.slice(0, 16)
}

/** Finds mistyped keys without a look at those that there are. It is no protection: anyone can compute it. */
function formatChecksum(random: string): string {
  return formatNumber(BigInt(crc32(random)), CHECKSUM_CHARACTERS)
}

function formatNumber(value: bigint, characters: number): string {
  let text = ''
  for (let rest = value; rest > 0n; rest /= 62n) text = DIGITS.charAt(Number(rest % 62n)) + text
  return text.padStart(characters, '0')
}
