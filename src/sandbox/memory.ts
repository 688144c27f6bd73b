import type { Adapter, AdapterFactory, AdapterPayload } from 'oidc-provider'
import { BoundedMap } from '../core/bounded-map.ts'

interface Entry {
  readonly payload: AdapterPayload
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
}

/** Entries kept before the oldest is dropped: a demo that runs for weeks must not eat the machine's memory. */
const CAPACITY = 10_000

/**
 * Seconds for which a refresh token that was used may be used again. MCP clients with several windows or streams refresh at the same
 * moment, and the one that comes second must not end the session of both.
 */
const REFRESH_GRACE = 10

export interface Memory {
  readonly adapter: AdapterFactory
  clear(): void
}

/**
 * Everything that the authorization server remembers: clients, grants, codes, tokens and sign-in sessions. Gone when the process ends.
 *
 * @param grace - seconds for which a refresh token that was used may be used again
 */
export function createMemory(grace = REFRESH_GRACE): Memory {
  const entries = new BoundedMap<string, Entry>(CAPACITY)

  const find = (key: string): AdapterPayload | undefined => {
    const entry = entries.get(key)
    if (entry === undefined || entry.expiresAt > Date.now()) return entry?.payload
    entries.delete(key)
    return undefined
  }

  const store = (key: string, payload: AdapterPayload, seconds: number | undefined) => {
    entries.set(key, { payload, expiresAt: seconds === undefined ? Number.POSITIVE_INFINITY : Date.now() + seconds * 1000 })
  }

  const findBy = (kind: string, member: 'uid' | 'userCode', value: string) =>
    [...entries].filter(([key]) => key.startsWith(`${kind}:`)).find(([, { payload }]) => payload[member] === value)?.[1].payload

  const adapt = (kind: string): Adapter => ({
    find: async (id) => {
      const payload = find(`${kind}:${id}`)
      return kind === 'RefreshToken' && isInGrace(payload, grace) ? { ...payload, consumed: undefined } : payload
    },
    findByUid: async (uid) => findBy(kind, 'uid', uid),
    findByUserCode: async (userCode) => findBy(kind, 'userCode', userCode),
    upsert: async (id, payload, seconds) => store(`${kind}:${id}`, payload, seconds),
    destroy: async (id) => void entries.delete(`${kind}:${id}`),
    consume: async (id) => {
      const payload = find(`${kind}:${id}`)
      if (payload !== undefined) payload.consumed ??= Math.floor(Date.now() / 1000)
    },
    revokeByGrantId: async (grantId) => {
      for (const [key, { payload }] of entries) if (payload.grantId === grantId) entries.delete(key)
    },
  })
  return { adapter: adapt, clear: () => entries.clear() }
}

function isInGrace(payload: AdapterPayload | undefined, grace: number): boolean {
  return typeof payload?.consumed === 'number' && Date.now() / 1000 < payload.consumed + grace
}
