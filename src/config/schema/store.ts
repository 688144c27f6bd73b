import { z } from 'zod'
import { findRedisUrlMistake } from '../format/formats.ts'
import { list, secret, text } from './values.ts'

export const store = z
  .strictObject({
    kind: z
      .enum(['sqlite', 'memory', 'redis'])
      .default('sqlite')
      .describe(
        '`sqlite`: a file, for the processes of one machine. `redis`: Redis or Valkey, for several machines. `memory`: lost when the process ends.',
      ),
    path: z.string().min(1).optional().describe('File for `sqlite`. By default `open-mcp-auth-proxy.db`.'),
    url: text(findRedisUrlMistake).optional().describe('`redis://host:port` or `rediss://host:port`, for `redis`.'),
    password: secret.optional().describe('Password for `redis`.'),
    prefix: z.string().optional().describe('Prefix of all keys, for `redis`. By default `mcp:`.'),
  })
  .meta({
    id: 'Store',
    description:
      'Where state is kept that outlives a restart: registrations, grants and tokens of the broker, and what operators revoked.',
  })

export const encryptionKeys = list(secret)
