import { explainKey } from '../access-keys/key-verifier.ts'
import {
  createKeyAddAction,
  createKeyListAction,
  createKeyRevokeAction,
  type KeyActionOptions,
  type KeyServer,
} from '../admin/actions/key-actions.ts'
import type { AdminAction } from '../admin/admin-action.ts'
import type { AccessKeyRegister } from '../core/access-key-register.ts'
import { type Clock, systemClock } from '../core/clock.ts'
import { findKeyScopeNotices } from '../core/key-scopes.ts'
import { createOpenRequests } from '../core/open-requests.ts'
import type { Plan } from '../core/plan/plan.ts'
import type { Principal } from '../core/principal.ts'
import { openStore } from '../store/open-store.ts'
import { withoutForeignKeys } from './keys-of-issuers.ts'
import { listKnownIssuers } from './known-issuers.ts'
import { openAccessKeys } from './open-access-keys.ts'

/** The actions on access keys, by path. */
export function listKeyActions(
  findPlan: () => Plan,
  register: AccessKeyRegister,
  clock: Clock,
): readonly (readonly [path: string, action: AdminAction])[] {
  const options: KeyActionOptions = {
    register,
    clock,
    listServers: () => findPlan().servers.map(describeServer),
    listIssuers: () => listKnownIssuers(findPlan()),
    acceptsStored: () => findPlan().acceptsStoredKeys,
    isShared: findPlan().store.kind !== 'memory',
    findScopeNotices: (key) =>
      findKeyScopeNotices(
        key,
        findPlan().servers.filter(({ name }) => key.servers.includes(name)),
      ),
  }
  return [
    ['/keys/create', createKeyAddAction(options)],
    ['/keys/list', createKeyListAction(options)],
    ['/keys/revoke', createKeyRevokeAction(options)],
  ]
}

function describeServer({ name, credential }: Plan['servers'][number]): KeyServer {
  return { name, needsToken: credential.kind !== 'none' }
}

/** The same without a running proxy, on the store that its processes share. */
export interface StoredKeyActions {
  /** @throws ProxyError */
  call(path: string, input: Readonly<Record<string, unknown>>): Promise<unknown>
  /** Who would call a server with a key, from a permitted address. @throws ProxyError as for a request */
  explain(key: string, server: string): Principal
  close(): Promise<void>
}

/** @throws Error when the store cannot be opened or reached */
export async function openStoredKeys(plan: Plan, onIssue: (message: string) => void): Promise<StoredKeyActions> {
  const store = await openStore(plan.store, onIssue)
  const { ring, register } = await openAccessKeys(plan, createOpenRequests(), { store, clock: systemClock, onIssue })
  const actions = new Map(listKeyActions(() => plan, register, systemClock))
  return {
    call: async (path, input) => actions.get(path)?.(input, { address: '', tellFailure: () => undefined }),
    explain: (key, server) => explainKey(key, { ring: withoutForeignKeys(ring, () => plan), server, clock: systemClock }),
    async close() {
      ring.close()
      await store.close()
    },
  }
}
