import { ACCESS_KEY_ISSUER, type AccessKey } from '../../core/access-key.ts'
import { findKeyScopeNotices } from '../../core/key-scopes.ts'
import type { ServerPlan } from '../../core/plan/server-plan.ts'
import { nameServer } from '../derive/endpoints.ts'
import { findEncryptionKeys, findStore } from '../derive/storage.ts'
import { quote } from '../problem/problem.ts'
import type { AccessKeyConfig } from '../schema/access-keys.ts'
import type { Config } from '../schema/schema.ts'

/** Settles the access keys of the file. */
export function createAccessKeyPlans({ keys }: Pick<Config, 'keys'>): readonly AccessKey[] {
  return keys.map(createAccessKeyPlan)
}

function createAccessKeyPlan({
  name,
  digest,
  servers,
  scopes,
  expires,
  addresses,
  for: subject,
  issuer,
}: AccessKeyConfig): AccessKey {
  return {
    name,
    digest: digest.slice('sha256:'.length),
    servers,
    scopes,
    addresses,
    user: subject === undefined ? undefined : { subject, issuer: issuer ?? ACCESS_KEY_ISSUER },
    createdAt: undefined,
    expiresAt: Date.parse(expires) / 1000,
  }
}

/** @param now - milliseconds since the epoch */
export function createAccessKeyNotices(config: Config, servers: readonly ServerPlan[], now: number): string[] {
  const expired = config.keys.flatMap(({ name, expires }, index) =>
    Date.parse(expires) <= now ? [`keys[${index}]: the access key ${quote(name)} has expired and is refused.`] : [],
  )
  return [
    ...expired,
    ...createKeyScopeNotices(config, servers),
    ...createKeysOnlyNotices(config),
    ...createStoredKeyNotices(config),
  ]
}

/** Scopes of the keys of the file that are of no use, or not enough. */
function createKeyScopeNotices({ keys }: Pick<Config, 'keys'>, servers: readonly ServerPlan[]): string[] {
  return keys.flatMap((key, index) => {
    const named = servers.filter(({ name }) => key.servers.includes(name))
    return findKeyScopeNotices(key, named).map((notice) => `keys[${index}]: ${notice}`)
  })
}

function createKeysOnlyNotices({ servers, issuers, identity_provider: provider }: Config): string[] {
  const others = servers.filter((server) => (server.issuers ?? issuers).length === 0 && (server.issuers || !provider))
  return others.map(
    (server) =>
      `server ${nameServer(server)}: no issuer is configured, so that it accepts access keys only. MCP clients that sign users in find no authorization server.`,
  )
}

/** Redis is often reached by more than the proxy. A file is its owner's. */
function createStoredKeyNotices(config: Config): string[] {
  const isOpen = findStore(config).value?.kind === 'redis' && (findEncryptionKeys(config).value ?? []).length === 0
  if (!isOpen || !config.stored_keys) return []
  return [
    'stored_keys: without `encryption_keys`, anyone who can write to Redis can add access keys. Set `encryption_keys`, or write `stored_keys: false` if you make none.',
  ]
}
