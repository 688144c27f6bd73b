import { openKeyRing } from '../../src/access-keys/key-ring.ts'
import { createKeyVerifier } from '../../src/access-keys/key-verifier.ts'
import { createLastUse } from '../../src/access-keys/last-use.ts'
import { createAccessKeyRegister } from '../../src/access-keys/register.ts'
import { createAccessKey, digestAccessKey } from '../../src/core/access-key.ts'
import { createEncryption } from '../../src/core/encryption.ts'
import type { Store } from '../../src/core/store.ts'
import { createMemoryStore } from '../../src/store/memory-store.ts'
import { createFakeClock } from './fake-clock.ts'

const keyEncryption = createEncryption([Buffer.alloc(32, 1)])

/** A store whose questions are counted, and which can be away. */
export function createCountedStore(clock = createFakeClock()) {
  const inner = createMemoryStore(clock)
  const asked: string[] = []
  const state = { isAway: false }
  const ask = async <T>(what: string, answer: () => Promise<T>): Promise<T> => {
    asked.push(what)
    if (state.isAway) throw new Error('it is away')
    return answer()
  }
  const store: Store = {
    ...inner,
    find: (kind, id) => ask(`find ${kind}`, () => inner.find(kind, id)),
    list: (kind, most) => ask(`list ${kind}`, () => inner.list(kind, most)),
    put: (kind, ...rest) => ask(`put ${kind}`, () => inner.put(kind, ...rest)),
  }
  return { inner, store, asked, state, clock }
}

export type Counted = ReturnType<typeof createCountedStore>

/** The access keys of a process that shares the store. */
export async function openKeyProcess(
  parts: Counted = createCountedStore(),
  keys: 'some' | 'none' = 'some',
  acceptsStored = true,
) {
  const { store, clock } = parts
  const issues: string[] = []
  const changes: number[] = []
  const common = {
    store,
    clock,
    encryption: keys === 'none' ? undefined : keyEncryption,
    onIssue: (message: string) => void issues.push(message),
  }
  const ring = await openKeyRing({ ...common, acceptsStored, onChange: () => changes.push(1) })
  const lastUse = createLastUse(store, clock, common.onIssue)
  const register = createAccessKeyRegister({ ...common, ring, lastUse })
  const tokens = {
    verify: () => {
      throw new Error('this is no token')
    },
    recall: () => {
      throw new Error('this is no token')
    },
  }
  const verifier = createKeyVerifier(tokens, { ring, server: 'files', clock, onUse: lastUse.note })
  const show = (key: string, address = '10.0.0.1'): string => {
    try {
      const { accessKey } = verifier.verify(key, address) as { accessKey: { name: string } }
      return accessKey.name
    } catch (error) {
      const { code, reason } = error as { code: string; reason?: string }
      return reason ?? code
    }
  }
  return { ...parts, ring, register, verifier, show, issues, changes }
}

export function createRingKey(clock: Counted['clock'], terms: object = {}) {
  const text = createAccessKey()
  const now = Math.floor(clock.wall() / 1000)
  const key = {
    ...{ digest: digestAccessKey(text) ?? '', name: 'nightly', servers: ['files'], scopes: [], addresses: [] },
    ...{ user: undefined, createdAt: now, expiresAt: now + 3600, ...terms },
  }
  return { text, key }
}

/** Lets what a timer began come to its end. */
export const settle = () => new Promise((resolve) => setImmediate(resolve))

/** Lets time pass, in which the store is asked and answers. */
export async function pass(clock: Counted['clock'], milliseconds: number): Promise<void> {
  clock.advance(milliseconds - 2000)
  await settle()
  clock.advance(2000)
  await settle()
}
