import { type KeyRing, openKeyRing } from '../access-keys/key-ring.ts'
import { createLastUse, type LastUse } from '../access-keys/last-use.ts'
import { createAccessKeyRegister } from '../access-keys/register.ts'
import type { AccessKeyRegister } from '../core/access-key-register.ts'
import type { Clock } from '../core/clock.ts'
import { createEncryption } from '../core/encryption.ts'
import { ProxyError } from '../core/errors.ts'
import type { OpenRequests } from '../core/open-requests.ts'
import type { Plan } from '../core/plan/plan.ts'
import type { Store } from '../core/store.ts'

/** The access keys of the process. */
export interface AccessKeys {
  readonly ring: KeyRing
  readonly register: AccessKeyRegister
  readonly lastUse: LastUse
}

interface Parts {
  readonly store: Store
  readonly clock: Clock
  readonly onIssue: (message: string) => void
}

/** Also ends what is open for keys that are revoked, here or in another process, or may have been while the store is away. */
export async function openAccessKeys(
  { storeKeys, acceptsStoredKeys, accessKeys }: Pick<Plan, 'storeKeys' | 'acceptsStoredKeys' | 'accessKeys'>,
  openRequests: OpenRequests,
  { store, clock, onIssue }: Parts,
): Promise<AccessKeys> {
  const encryption = storeKeys.length === 0 ? undefined : createEncryption(storeKeys)
  let opened: KeyRing | undefined
  const onChange = (): void => void (opened && endRefused(openRequests, opened))
  const ring = await openKeyRing({ store, clock, onIssue, encryption, acceptsStored: acceptsStoredKeys, onChange })
  opened = ring
  ring.configure(accessKeys)
  const lastUse = createLastUse(store, clock, onIssue)
  return { ring, lastUse, register: createAccessKeyRegister({ store, encryption, clock, ring, lastUse }) }
}

function endRefused(openRequests: OpenRequests, ring: KeyRing): void {
  openRequests.end(
    ({ principal }) => ring.isGone(principal),
    new ProxyError('token_invalid', { reason: 'access_key_revoked', cause: 'the access key that opened it was revoked' }),
  )
  openRequests.end(
    // A call that was permitted may have its answer: cut, it would be repeated, and what it does may be done twice.
    ({ principal, lasts, isStream }) => (lasts || isStream) && ring.isUncertain(principal),
    new ProxyError('issuer_unavailable', {
      reason: 'store_unavailable',
      cause: 'the access key that opened it may have been revoked: the store cannot be read',
      retryAfter: 5,
    }),
  )
}
