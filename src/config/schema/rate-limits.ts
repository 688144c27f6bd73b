import { z } from 'zod'
import { findBlankMistake } from '../format/formats.ts'
import { list, text, whole } from './values.ts'

const MOST = 1_000_000

const bound = (what: string) => whole(1, MOST).optional().describe(what)

const rateLimit = z
  .strictObject({
    per: list(z.enum(['principal', 'client', 'server', 'tool']))
      .min(1)
      .default(['principal'])
      .describe(
        'What is counted apart, in every combination: `principal` (a user, or a machine), `client`, `server`, `tool`. The limits of a server count that server alone.',
      ),
    tools: list(text(findBlankMistake))
      .min(1)
      .optional()
      .describe('Only calls of these tools count; `*` stands for any characters.'),
    calls_per_minute: bound('Operations in a minute, each of a batch, refused ones too: the rate at which a bucket refills.'),
    burst: bound('Operations that may come at once: what the bucket holds. By default `calls_per_minute`.'),
    concurrent_calls: bound('Calls that may run at a time, each of a batch.'),
    streams: bound('Event streams that may be open at a time, those that last until someone ends them.'),
    sessions: bound('MCP sessions that may be open at a time. One that was not used for 30 minutes does not count.'),
  })
  .meta({ id: 'RateLimit', description: 'How much may be used, and by what it is counted.' })

export const rateLimits = z.array(rateLimit)

export type RateLimitConfig = z.output<typeof rateLimit>
