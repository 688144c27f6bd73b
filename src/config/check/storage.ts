import { entriesOf } from '../derive/present-items.ts'
import { findEncryptionKeys, findStore, signsWithStoredKeys } from '../derive/storage.ts'
import { isLoopback } from '../format/formats.ts'
import { decodeEncryptionKey } from '../format/key-material.ts'
import type { Mistake } from '../problem/problem.ts'
import type { CheckContext } from './check-context.ts'
import { checkRedis } from './redis.ts'

/** Keys that belong to one kind of store. */
const KIND_OF_KEY = {
  path: 'sqlite',
  url: 'redis',
  sentinel: 'redis',
  cluster: 'redis',
  username: 'redis',
  password: 'redis',
  tls: 'redis',
  prefix: 'redis',
  wait_for_replicas: 'redis',
} as const

const MAKE_KEY = 'Make one with `openssl rand -base64 32`.'

/** Checks where state is kept, and with which keys. */
export function checkStorage(context: CheckContext): void {
  checkOnce(context)
  checkStore(context)
  checkKeys(context)
}

/** The keys under `broker` are aliases. */
function checkOnce({ config, report }: CheckContext): void {
  for (const key of ['store', 'encryption_keys'] as const) {
    if (config[key] === undefined || config.broker?.[key] === undefined) continue
    report(['broker', key], { reason: `is the same as \`${key}\` at the top, which is there, too`, fix: 'Remove it here.' })
  }
}

function checkStore(context: CheckContext): void {
  const { config, report } = context
  const { value: store, at } = findStore(config)
  if (store?.kind === undefined) return
  for (const [key, kind] of Object.entries(KIND_OF_KEY)) {
    if (store[key as keyof typeof KIND_OF_KEY] === undefined || kind === store.kind) continue
    report([...at, key], { reason: `has no use with \`kind: ${store.kind}\``, fix: `Remove it, or write \`kind: ${kind}\`.` })
  }
  if (store.kind === 'redis') checkRedis(store, at, context)
}

function checkKeys({ config, isBroken, secretsAndFiles, report }: CheckContext): void {
  const { value, at } = findEncryptionKeys(config)
  const keys = entriesOf(value)
  const keeps = config.identity_provider !== undefined || signsWithStoredKeys(config)
  const isNeeded = keeps && findStore(config).value?.kind !== 'memory'
  if (keys.length === 0 && isNeeded && !isBroken(at)) {
    report(at, {
      reason: 'is missing; users and keys in the store are encrypted',
      fix: `List a key as { env: NAME } or { file: path }. ${MAKE_KEY}`,
    })
  }
  for (const [index, reference] of keys) {
    const text = secretsAndFiles.findSecret(reference)
    const mistake = text === undefined ? undefined : findKeyMistake(text, config.public_url)
    if (mistake) report([...at, index], mistake)
  }
}

function findKeyMistake(text: string, publicUrl: string | undefined): Mistake | undefined {
  const key = decodeEncryptionKey(text)
  if (key === undefined) return { reason: 'is not Base64 of 32 bytes', fix: MAKE_KEY }
  // A trial on this machine goes on with such a key, and is told of it at its start.
  if (key.some((byte) => byte !== 0) || !isPublished(publicUrl)) return undefined
  return { reason: 'is all zeros, which anyone can guess', fix: `${MAKE_KEY} Users sign in again then.` }
}

/** Whether others than the users of this machine can reach us. */
function isPublished(publicUrl: string | undefined): boolean {
  const hostname = publicUrl === undefined ? undefined : URL.parse(publicUrl)?.hostname
  return hostname !== undefined && !isLoopback(hostname)
}
