import { z } from 'zod'
import { findRedisNodeMistake, findRedisUrlMistake, findSentinelMistake, type MistakeFinder } from '../format/formats.ts'
import { list, secret, text, whole } from './values.ts'

const listOf = (find: MistakeFinder) => list(text((url) => find(url))).min(1)

const credentials = {
  username: z.string().min(1).optional().describe('ACL user. By default the default user.'),
  password: secret.optional().describe('Its password.'),
}

const sentinel = z
  .strictObject({
    urls: listOf(findSentinelMistake).describe(
      '`redis://host:port` of each Sentinel, or `rediss://` where Sentinels and Redis speak TLS. Without a port, 26379.',
    ),
    master: z.string().min(1).describe('Name of the master that they monitor.'),
    username: credentials.username.describe('ACL user at the Sentinels. By default the default user.'),
    password: credentials.password.describe('Password at the Sentinels, which is not that of Redis.'),
  })
  .describe('Sentinels that know which server is the master.')

const cluster = z
  .strictObject({
    urls: listOf(findRedisNodeMistake).describe(
      '`redis://host:port` or `rediss://host:port` of some nodes (without a port, 6379); the others are found through them.',
    ),
  })
  .describe('A Redis Cluster. One shard has the store, one the counts of rate limits.')

const tls = z
  .strictObject({
    ca_file: z.string().min(1).optional().describe('Certificate authorities (PEM) to trust beside the usual ones.'),
    cert_file: z.string().min(1).optional().describe('Client certificate chain, PEM.'),
    key_file: z.string().min(1).optional().describe('Private key of the client certificate, PEM.'),
    server_name: z
      .string()
      .min(1)
      .optional()
      .describe('Name that the certificates of all servers are checked against. By default the host that is connected to.'),
  })
  .describe('TLS of `rediss://`.')

export const store = z
  .strictObject({
    kind: z
      .enum(['sqlite', 'memory', 'redis'])
      .default('sqlite')
      .describe(
        '`sqlite`: a file, for the processes of one machine. `redis`: Redis or Valkey, for several machines. `memory`: lost when the process ends.',
      ),
    path: z.string().min(1).optional().describe('File for `sqlite`. By default `open-mcp-auth-proxy.db`.'),
    url: text((url) => findRedisUrlMistake(url))
      .optional()
      .describe('`redis://host:port` or `rediss://host:port`, for `redis`. Without a port, 6379.'),
    sentinel: sentinel.optional(),
    cluster: cluster.optional(),
    username: credentials.username.describe('ACL user for `redis`. By default the default user.'),
    password: credentials.password.describe('Password for `redis`.'),
    tls: tls.optional(),
    prefix: z.string().optional().describe('Prefix of all keys, for `redis`. By default `mcp:`.'),
    wait_for_replicas: whole(0, 10)
      .optional()
      .describe(
        'How many replicas of Redis must have received a write before it counts, for `redis`. By default 0: a fail-over may lose the last writes. See [Redis](redis.md).',
      ),
  })
  .meta({
    id: 'Store',
    description:
      'Where state is kept that outlives a restart: registrations, grants and tokens of the broker, and what operators revoked.',
  })

export const encryptionKeys = list(secret)
