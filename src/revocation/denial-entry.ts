import { hash } from 'node:crypto'
import type { Denial, DeniedKind } from '../core/deny-list.ts'
import type { Encryption } from '../core/encryption.ts'
import { isObject } from '../core/is-object.ts'
import type { StoredEntry } from '../core/store.ts'

/** The kind of entries in the store. */
export const DENIAL = 'Denial'

const KINDS: readonly string[] = ['user', 'client', 'token', 'session'] satisfies DeniedKind[]

/** Names what is denied. */
export function formatDeniedKey(kind: DeniedKind, issuer: string, value: string): string {
  return JSON.stringify([kind, issuer, value])
}

/**
 * Where a denial is in the store. One that refuses old tokens only, and one that refuses all, stand side by side, so that neither
 * weakens the other.
 */
export function findEntryId({ kind, issuer, value, issuedBefore }: Denial): string {
  return hash('sha256', JSON.stringify([formatDeniedKey(kind, issuer, value), issuedBefore === undefined]), 'base64url')
}

/** @param encryption - undefined where no keys are configured: users are then named in the clear */
export function writeEntry(denial: Denial, encryption: Encryption | undefined): string {
  const text = JSON.stringify(denial)
  return encryption === undefined ? text : encryption.encrypt(purposeOf(findEntryId(denial)), text)
}

/** @returns undefined for what cannot be read; its owner may have other keys */
export function readEntry({ id, value }: StoredEntry, encryption: Encryption | undefined): Denial | undefined {
  const text = value.startsWith('{') ? value : encryption?.decrypt(purposeOf(id), value)
  const denial = text === undefined ? undefined : parseDenial(text)
  return denial !== undefined && findEntryId(denial) === id ? denial : undefined
}

const purposeOf = (id: string): string => `${DENIAL}:${id}`

function parseDenial(text: string): Denial | undefined {
  const value = parseJson(text)
  if (!isObject(value)) return undefined
  const { kind, issuer, value: denied, issuedBefore, expiresAt } = value
  if (!KINDS.includes(kind as string) || typeof issuer !== 'string' || typeof denied !== 'string') return undefined
  if (!isTime(issuedBefore) || !isTime(expiresAt)) return undefined
  return { kind: kind as DeniedKind, issuer, value: denied, issuedBefore, expiresAt }
}

function isTime(value: unknown): value is number | undefined {
  return value === undefined || typeof value === 'number'
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Reported with the entries that cannot be read.
    return undefined
  }
}
