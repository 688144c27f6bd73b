import { entriesOf } from '../derive/present-items.ts'
import type { ConfigPath } from '../problem/problem.ts'
import type { PartialConfig } from '../schema/partial-config.ts'
import type { RateLimitConfig } from '../schema/rate-limits.ts'
import type { CheckContext } from './check-context.ts'
import { findNamePatternMistake } from './name-patterns.ts'

type Limit = PartialConfig<RateLimitConfig>

const BOUNDS = ['calls_per_minute', 'concurrent_calls', 'streams', 'sessions'] as const
/** Streams and sessions are no calls of a tool. */
const NOT_OF_TOOLS = ['streams', 'sessions'] as const

/** Each limit bounds something, and can count it. */
export function checkRateLimits(context: CheckContext): void {
  const { config } = context
  for (const [index, limit] of entriesOf(config.rate_limits)) checkLimit(limit, ['rate_limits', index], context)
  for (const [index, server] of entriesOf(config.servers)) {
    for (const [position, limit] of entriesOf(server.rate_limits))
      checkLimit(limit, ['servers', index, 'rate_limits', position], context)
  }
}

function checkLimit(limit: Limit, at: ConfigPath, { isBroken, report }: CheckContext): void {
  const has = (key: keyof RateLimitConfig): boolean => limit[key] !== undefined || isBroken([...at, key])
  if (!BOUNDS.some(has))
    report(at, { reason: 'limits nothing', fix: `Add ${BOUNDS.map((key) => `\`${key}\``).join(', ')}, or several of them.` })
  if (limit.burst !== undefined && !has('calls_per_minute'))
    report([...at, 'burst'], {
      reason: 'says how many may come at once, and not how many in all',
      fix: 'Add `calls_per_minute`.',
    })
  const isOfTools = limit.tools !== undefined || limit.per?.includes('tool') === true
  for (const key of NOT_OF_TOOLS) {
    if (isOfTools && limit[key] !== undefined)
      report([...at, key], { reason: 'is not counted by tool', fix: 'Give it an entry of its own, without `tools` and `tool`.' })
  }
  for (const [index, pattern] of (limit.tools ?? []).entries()) {
    const mistake = pattern === undefined ? undefined : findNamePatternMistake(pattern)
    if (mistake) report([...at, 'tools', index], mistake)
  }
}
