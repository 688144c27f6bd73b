import type { AccessKey } from './access-key.ts'

/** An access key, as operators see it. */
export interface RegisteredKey {
  readonly key: AccessKey
  readonly source: 'configuration' | 'store'
  /** Milliseconds since the epoch; undefined while it is in force. */
  readonly revokedAt: number | undefined
  /** The same; undefined where it was never used, or not since that is kept. */
  readonly usedAt: number | undefined
}

/** The access keys that there are, for operators. */
export interface AccessKeyRegister {
  /** @throws ProxyError `admin_input_invalid` where the store has it already, or as many as it may */
  add(key: AccessKey): Promise<void>
  list(): Promise<readonly RegisteredKey[]>
  /**
   * Revokes those of which it is true, also where they are in the configuration: they stay refused for as long as the store is kept.
   *
   * @returns them, with those that were revoked before
   */
  revoke(isMeant: (key: AccessKey) => boolean): Promise<readonly RegisteredKey[]>
}
