import type { ConfigPath } from '../problem/problem.ts'
import type { PartialConfig } from '../schema/partial-config.ts'
import type { Config } from '../schema/schema.ts'

/** What a configuration says of where state is kept, and where it says so. */
export interface Storage<Part> {
  readonly value: Part | undefined
  readonly at: ConfigPath
}

/** Whether keys of the store sign assertions of who calls. A store has to be configured for that, or there are no such keys (`check/identity.ts`). */
export function signsWithStoredKeys(config: PartialConfig<Config>): boolean {
  const servers = (config.servers ?? []).filter((server) => server !== undefined)
  const isSigned = servers.some(
    ({ identity, upstream }) =>
      identity !== undefined && upstream?.command === undefined && identity.assertion !== false && identity.key === undefined,
  )
  return isSigned && findStore(config).value !== undefined
}

type Store = NonNullable<Config['store']>
type EncryptionKeys = NonNullable<Config['encryption_keys']>

/** `store` at the top, or under `broker` where it used to be. */
export function findStore(config: Config): Storage<Store>
export function findStore(config: PartialConfig<Config>): Storage<PartialConfig<Store>>
export function findStore(config: PartialConfig<Config>): Storage<PartialConfig<Store>> {
  const own = config.broker?.store
  return config.store === undefined && own !== undefined
    ? { value: own, at: ['broker', 'store'] }
    : { value: config.store, at: ['store'] }
}

/** `encryption_keys` at the top, or under `broker` where they used to be. */
export function findEncryptionKeys(config: Config): Storage<EncryptionKeys>
export function findEncryptionKeys(config: PartialConfig<Config>): Storage<PartialConfig<EncryptionKeys>>
export function findEncryptionKeys(config: PartialConfig<Config>): Storage<PartialConfig<EncryptionKeys>> {
  const own = config.broker?.encryption_keys
  return config.encryption_keys === undefined && own !== undefined
    ? { value: own, at: ['broker', 'encryption_keys'] }
    : { value: config.encryption_keys, at: ['encryption_keys'] }
}

/** The URLs of a store in Redis, wherever they stand. */
export function listRedisUrls({ url, sentinel, cluster }: PartialConfig<Store>): string[] {
  return [url, ...(sentinel?.urls ?? []), ...(cluster?.urls ?? [])].filter((one) => one !== undefined)
}
