import { findEncryptionKeys } from '../derive/storage.ts'
import { decodeEncryptionKey, decodeSessionKey, isPattern } from '../format/key-material.ts'
import { type ConfigPath, formatPath } from '../problem/problem.ts'
import type { Config } from '../schema/schema.ts'
import type { SecretsAndFiles } from '../source/secrets-and-files.ts'

/** Keys and tokens that anyone can guess, as they are left from a trial or an example. */
export function createKeyNotices(config: Config, { findSecret }: SecretsAndFiles): string[] {
  const { value: keys = [], at } = findEncryptionKeys(config)
  return [
    ...keys.flatMap((key, index) => createNotice([...at, index], decodeEncryptionKey(findSecret(key) ?? ''))),
    ...createNotice(['session_key'], decodeSessionKey(findSecret(config.session_key) ?? '')),
    ...createNotice(['admin', 'token'], Buffer.from(findSecret(config.admin?.token) ?? '')),
  ]
}

function createNotice(at: ConfigPath, bytes: Buffer | undefined): string[] {
  if (bytes === undefined || bytes.length === 0 || !isPattern(bytes)) return []
  return [`${formatPath(at)}: a pattern that anyone can guess, such as zeros. Make another with: openssl rand -base64 32`]
}
