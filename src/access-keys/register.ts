import type { AccessKey } from '../core/access-key.ts'
import type { AccessKeyRegister, RegisteredKey } from '../core/access-key-register.ts'
import type { Clock } from '../core/clock.ts'
import type { Encryption } from '../core/encryption.ts'
import { ProxyError } from '../core/errors.ts'
import type { Store } from '../core/store.ts'
import { type KeyRing, MAX_KEYS, MAX_READ } from './key-ring.ts'
import type { LastUse } from './last-use.ts'
import { termsOf } from './revocations.ts'
import { ACCESS_KEY, readStoredKey, type StoredKey, writeStoredKey } from './stored-key.ts'

export interface RegisterOptions {
  readonly store: Store
  readonly encryption: Encryption | undefined
  readonly clock: Clock
  readonly ring: Pick<KeyRing, 'announce' | 'listConfigured' | 'findRevocation'>
  readonly lastUse: LastUse
}

/** Reads the store each time: another process may have added keys in the last two seconds. */
export function createAccessKeyRegister(options: RegisterOptions): AccessKeyRegister {
  const { store, encryption, clock, ring, lastUse } = options
  return {
    async add(key) {
      if ((await store.count(ACCESS_KEY)) >= MAX_KEYS) throw refuse(`there are ${MAX_KEYS} access keys, and no room for more`)
      const value = writeStoredKey({ key, revokedAt: undefined }, encryption)
      if (!(await store.add(ACCESS_KEY, key.digest, value, termsOf(key)))) throw refuse('there is an access key of this digest')
      await ring.announce()
    },
    async list() {
      const [stored, used] = await Promise.all([readStored(options), lastUse.list()])
      return listAll(stored, ring.listConfigured(), used).map((one) => ({
        ...one,
        revokedAt: one.revokedAt ?? ring.findRevocation(one.key.digest),
      }))
    },
    async revoke(isMeant) {
      const meant = listAll(await readStored(options), ring.listConfigured(), new Map()).filter(({ key }) => isMeant(key))
      for (const { key, source, revokedAt } of meant) {
        if (revokedAt !== undefined) continue
        // The file can say a later end of a key at any time, and its revocation must outlast that.
        const terms = source === 'configuration' ? {} : termsOf(key)
        await store.put(ACCESS_KEY, key.digest, writeStoredKey({ key, revokedAt: clock.wall() }, encryption), terms)
      }
      if (meant.length > 0) await ring.announce()
      return meant
    },
  }
}

function refuse(cause: string): ProxyError {
  return new ProxyError('admin_input_invalid', { cause })
}

async function readStored({ store, encryption }: RegisterOptions): Promise<readonly StoredKey[]> {
  const entries = await store.list(ACCESS_KEY, MAX_READ)
  return entries.flatMap((entry) => readStoredKey(entry, encryption) ?? [])
}

function listAll(
  stored: readonly StoredKey[],
  configured: readonly AccessKey[],
  used: ReadonlyMap<string, number>,
): readonly RegisteredKey[] {
  const revoked = new Map(stored.map(({ key: { digest }, revokedAt }) => [digest, revokedAt]))
  const digests = new Set(configured.map(({ digest }) => digest))
  return [
    ...configured.map((key) => ({ key, source: 'configuration' as const, revokedAt: revoked.get(key.digest) })),
    ...stored.filter(({ key }) => !digests.has(key.digest)).map((one) => ({ ...one, source: 'store' as const })),
  ].map((one) => ({ ...one, usedAt: used.get(one.key.digest) }))
}
