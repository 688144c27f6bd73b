import type { Clock } from '../../core/clock.ts'
import { createEncryptedCollection } from '../../core/encrypted-collection.ts'
import type { Encryption } from '../../core/encryption.ts'
import { hashId } from '../../core/hash-id.ts'
import type { OwnAccountPlan } from '../../core/plan/own-account-plan.ts'
import type { Store } from '../../core/store.ts'
import { withStoreLock } from '../storage/store-lock.ts'

/** An MCP server, as the configuration had it when an account was connected. */
export type AccountPlace = Pick<OwnAccountPlan, 'server' | 'upstreamUrl'>

/** Where users have connected accounts: the configuration of now may have those MCP servers no more. */
export interface AccountPlaces {
  /** Called before the account is stored, so that none is without its place. */
  note(subject: string, place: AccountPlace, expiresAt: number): Promise<void>
  list(subject: string): Promise<readonly AccountPlace[]>
}

export interface AccountPlacesOptions {
  readonly store: Store
  readonly encryption: Encryption
  readonly clock: Clock
  /** Of entries about a user. */
  readonly nameGroup: (subject: string) => string
}

/** For one user. The oldest make room. */
const MAX_PLACES = 64
const LOCK_MS = 5_000

export function createAccountPlaces({ store, encryption, clock, nameGroup }: AccountPlacesOptions): AccountPlaces {
  const places = createEncryptedCollection<readonly AccountPlace[]>(store, encryption, 'AccountPlaces', hashId)
  const lock = { store, clock, kind: 'AccountPlacesLock', expiresMs: LOCK_MS, waitMs: LOCK_MS }
  const list = async (subject: string) => (await places.find(subject)) ?? []
  return {
    list,
    note: (subject, { server, upstreamUrl }, expiresAt) =>
      withStoreLock(
        hashId(subject),
        async () => {
          const others = (await list(subject)).filter((one) => one.server !== server || one.upstreamUrl !== upstreamUrl)
          const all = [{ server, upstreamUrl }, ...others].slice(0, MAX_PLACES)
          await places.put(subject, all, { expiresAt, groups: [nameGroup(subject)] })
        },
        lock,
      ),
  }
}
