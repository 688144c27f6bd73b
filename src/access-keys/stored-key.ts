import { type AccessKey, isAccessKeyDigest, isAccessKeyName } from '../core/access-key.ts'
import { isNetwork } from '../core/address-list.ts'
import type { Encryption } from '../core/encryption.ts'
import { isObject } from '../core/is-object.ts'
import { isScopeToken } from '../core/scope-token.ts'
import type { StoredEntry } from '../core/store.ts'

/** The kind of entries in the store. */
export const ACCESS_KEY = 'AccessKey'

/** A key as the store has it. One of the file is there, too, once it is revoked. */
export interface StoredKey {
  readonly key: AccessKey
  /** Milliseconds since the epoch; undefined while it is in force. */
  readonly revokedAt: number | undefined
}

/**
 * @param encryption - undefined where no keys are configured: then an attacker who can write the store can add access keys of their own
 */
export function writeStoredKey(stored: StoredKey, encryption: Encryption | undefined): string {
  const text = JSON.stringify(stored)
  return encryption === undefined ? text : encryption.encrypt(purposeOf(stored.key.digest), text)
}

/**
 * Where keys for encryption are configured, an entry in the clear is not accepted: only who has such a key can make one.
 *
 * @returns undefined for what cannot be read; its owner may have other keys
 */
export function readStoredKey({ id, value }: StoredEntry, encryption: Encryption | undefined): StoredKey | undefined {
  const text = encryption === undefined ? value : encryption.decrypt(purposeOf(id), value)
  const stored = text === undefined ? undefined : parseStored(text)
  return stored?.key.digest === id ? stored : undefined
}

const purposeOf = (digest: string): string => `${ACCESS_KEY}:${digest}`

/** Holds what is read to what is written: one entry that nothing can be made of must not fail later, where others are looked at, too. */
function parseStored(text: string): StoredKey | undefined {
  const value = parseJson(text)
  if (!isObject(value) || !isObject(value.key) || !isOptionalTime(value.revokedAt, 1)) return undefined
  const { digest, name, servers, scopes, addresses, user, createdAt, expiresAt } = value.key
  if (!isText(digest, isAccessKeyDigest) || !isText(name, isAccessKeyName) || !isTime(expiresAt, 1000)) return undefined
  if (!isTexts(servers) || !isTexts(scopes, isScopeToken) || !isTexts(addresses, isNetwork)) return undefined
  if (!isOptionalTime(createdAt, 1000) || !isUser(user)) return undefined
  return { key: { digest, name, servers, scopes, addresses, user, createdAt, expiresAt }, revokedAt: value.revokedAt }
}

function isText(value: unknown, isFine: (text: string) => boolean = () => true): value is string {
  return typeof value === 'string' && isFine(value)
}

function isTexts(value: unknown, isFine?: (text: string) => boolean): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => isText(item, isFine))
}

/** Whether a number is a time that there is (ECMA-262 §21.4.1.1). */
function isTime(value: unknown, milliseconds: number): value is number {
  return typeof value === 'number' && !Number.isNaN(new Date(value * milliseconds).getTime())
}

function isOptionalTime(value: unknown, milliseconds: number): value is number | undefined {
  return value === undefined || isTime(value, milliseconds)
}

function isUser(value: unknown): value is AccessKey['user'] {
  return value === undefined || (isObject(value) && typeof value.issuer === 'string' && typeof value.subject === 'string')
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Reported with the entries that cannot be read.
    return undefined
  }
}
