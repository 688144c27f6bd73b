import { resolve } from 'node:path'
import type { RedisNode, RedisPlace, RedisStorePlan, StorePlan } from '../../core/plan/store-plan.ts'
import { findEncryptionKeys, findStore, listRedisUrls } from '../derive/storage.ts'
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
      return createRedisPlan(store, secretsAndFiles)
  }
}

type StoreConfig = NonNullable<Config['store']>

function createRedisPlan(store: StoreConfig, { findSecret, findFile }: SecretsAndFiles): RedisStorePlan {
  const isEncrypted = listRedisUrls(store)[0]?.startsWith('rediss:')
  const { ca_file, cert_file, key_file, server_name: serverName } = store.tls ?? {}
  return {
    kind: 'redis',
    place: createRedisPlace(store, findSecret),
    user: { username: store.username, password: findSecret(store.password) },
    tls: isEncrypted ? { ca: findFile(ca_file), cert: findFile(cert_file), key: findFile(key_file), serverName } : undefined,
    prefix: store.prefix ?? 'mcp:',
    waitForReplicas: store.wait_for_replicas ?? 0,
  }
}

function createRedisPlace({ url, sentinel, cluster }: StoreConfig, findSecret: SecretsAndFiles['findSecret']): RedisPlace {
  if (sentinel !== undefined) {
    const user = { username: sentinel.username, password: findSecret(sentinel.password) }
    return { kind: 'sentinel', nodes: sentinel.urls.map(parseSentinel), master: sentinel.master, user }
  }
  if (cluster !== undefined) return { kind: 'cluster', nodes: cluster.urls.map((node) => parseNode(node, REDIS_PORT)) }
  const { pathname } = new URL(url ?? '')
  return { kind: 'server', node: parseNode(url ?? '', REDIS_PORT), database: Number(pathname.slice(1)) }
}

/** Where each listens by default, says Redis. */
const REDIS_PORT = 6379
const SENTINEL_PORT = 26_379

const parseSentinel = (url: string): RedisNode => parseNode(url, SENTINEL_PORT)

function parseNode(url: string, defaultPort: number): RedisNode {
  const { hostname, port } = new URL(url)
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? defaultPort : Number(port) }
}

/** The configured keys. */
export function decodeEncryptionKeys(config: Config, { findSecret }: SecretsAndFiles): readonly Buffer[] {
  return (findEncryptionKeys(config).value ?? []).map((reference) => {
    const key = decodeEncryptionKey(findSecret(reference) ?? '')
    if (key === undefined) throw new Error('the key has not been checked')
    return key
  })
}
