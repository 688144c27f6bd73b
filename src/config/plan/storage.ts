import { resolve } from 'node:path'
import type { StorePlan } from '../../core/plan/store-plan.ts'
import { findEncryptionKeys, findStore } from '../derive/storage.ts'
import { decodeEncryptionKey } from '../format/key-material.ts'
import type { Config } from '../schema/schema.ts'
import { store as storeSchema } from '../schema/store.ts'
import type { SecretsAndFiles } from '../source/secrets-and-files.ts'

/**
 * Where state is kept: in memory where none is configured and nothing needs to outlive the process.
 *
 * @param directory - against which relative paths are resolved
 */
export function createStorePlan(config: Config, secretsAndFiles: SecretsAndFiles, directory: string): StorePlan {
  const configured = findStore(config).value
  if (configured === undefined && config.identity_provider === undefined) return { kind: 'memory' }
  const store = configured ?? storeSchema.parse({})
  switch (store.kind) {
    case 'memory':
      return { kind: 'memory' }
    case 'sqlite':
      return { kind: 'sqlite', file: resolve(directory, store.path ?? 'open-mcp-auth-proxy.db') }
    case 'redis':
      return {
        kind: 'redis',
        url: store.url ?? '',
        password: secretsAndFiles.findSecret(store.password),
        prefix: store.prefix ?? 'mcp:',
      }
  }
}

/** The configured keys. */
export function decodeEncryptionKeys(config: Config, { findSecret }: SecretsAndFiles): readonly Buffer[] {
  return (findEncryptionKeys(config).value ?? []).map((reference) => {
    const key = decodeEncryptionKey(findSecret(reference) ?? '')
    if (key === undefined) throw new Error('the key has not been checked')
    return key
  })
}
