import { z } from 'zod'
import { seconds, secret, whole } from './values.ts'

/** A year. */
const MAX_HOURS = 8784

const rotate = z
  .strictObject({
    bytes: whole(4096, 1_099_511_627_776)
      .default(104_857_600)
      .describe('A file that is this long is set aside under a name with the time, and another begins.'),
    hours: z.number().min(0.001).max(MAX_HOURS).optional().describe('So is a file whose first record is this old.'),
    keep: whole(1, 100_000)
      .optional()
      .describe('Files that are kept beside the current one; older ones are deleted. By default all.'),
  })
  .meta({ id: 'AuditRotation', description: 'When the file of the audit log is set aside.' })

const chain = z
  .strictObject({
    key: secret.describe('Ed25519 private key (PEM or JWK) that signs. Make one with `openssl genpkey -algorithm ed25519`.'),
    checkpoint_seconds: seconds().default(60).describe('Seconds after which a record is covered by a signature at the latest.'),
  })
  .meta({
    id: 'AuditChain',
    description: 'Ties each record to the one before, and signs: `audit verify` finds what was changed.',
  })

export const audit = z
  .strictObject({
    file: z.string().min(1).optional().describe('File to which records are appended, one JSON object a line.'),
    stdout: z.literal(true).optional().describe('Records go to standard output instead, between the lines of the log.'),
    arguments: z
      .enum(['digest', 'none'])
      .default('digest')
      .describe(
        'Whether records have the SHA-256 digest of the arguments of calls. Arguments themselves: `audit_arguments` of a rule.',
      ),
    rotate: rotate.prefault({}),
    fail: z
      .enum(['drop', 'refuse'])
      .default('drop')
      .describe(
        'What happens while it cannot be written. `drop`: records wait in memory; those beyond 16 MiB are lost and counted. `refuse`: new requests get 503 `audit_unavailable`.',
      ),
    chain: chain.optional(),
  })
  .describe('A record of each request to an MCP server, and of each sign-in, consent, token and change. See [audit](audit.md).')
