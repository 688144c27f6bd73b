import { z } from 'zod'
import { findBlankMistake, findIssuerMistake, findNameMistake, findNetworkMistake } from '../format/formats.ts'
import { findDateMistake, findKeyDigestMistake } from '../format/machine-formats.ts'
import { list, scopes, text } from './values.ts'

const accessKey = z
  .strictObject({
    name: text(findNameMistake).describe(
      'Name of the key: `principal.client_id` for policy, and what logs and audit call it. Two keys may have one name while one replaces the other.',
    ),
    digest: text(findKeyDigestMistake).describe(
      '`sha256:` and the SHA-256 digest of the key, as `keys create --entry` or `keys hash` prints it. Never the key itself.',
    ),
    servers: list(text(findBlankMistake)).min(1).describe('Names of the servers that accept the key.'),
    scopes: scopes().default([]).describe('Scopes that it has.'),
    expires: text(findDateMistake).describe(
      'When it expires: a date (`2027-03-01`, its beginning in UTC) or a time (`2027-03-01T12:00:00Z`).',
    ),
    addresses: list(text(findNetworkMistake))
      .default([])
      .describe(
        'Addresses or CIDR blocks that it may come from, by default all. Behind other proxies, set `trusted_proxies`: without that, it is their address.',
      ),
    for: text(findBlankMistake)
      .optional()
      .describe('The user that it stands for (`principal.subject`). By default none: it is a machine.'),
    issuer: text(findIssuerMistake)
      .optional()
      .describe(
        'Issuer whose user `for` is. By default none: the user is then another one than any who signs in, whatever the name.',
      ),
  })
  .meta({ id: 'AccessKey', description: 'A key for a caller without a browser. See [access keys](recipes/access-keys.md).' })

export const accessKeys = z.array(accessKey)

export type AccessKeyConfig = z.output<typeof accessKey>
