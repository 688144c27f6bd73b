import { entriesOf } from '../derive/present-items.ts'
import { type ConfigPath, type Mistake, quote } from '../problem/problem.ts'
import type { AccessEntryConfig, RuleConfig } from '../schema/access.ts'
import type { PartialConfig } from '../schema/partial-config.ts'
import type { Config } from '../schema/schema.ts'
import type { ServerConfig } from '../schema/server.ts'
import type { CheckContext } from './check-context.ts'
import { checkExpression, checkMayHold } from './expression.ts'
import { findMethodMistake, findNamePatternMistake } from './name-patterns.ts'
import { findResourcePatternMistake } from './resource-patterns.ts'

type Entry = PartialConfig<AccessEntryConfig>

const CONDITIONS = ['groups', 'claim', 'who', 'everyone'] as const

const OPERATIONS = [
  ['tools', findNamePatternMistake],
  ['prompts', findNamePatternMistake],
  ['resources', findResourcePatternMistake],
  ['methods', findMethodMistake],
] as const

/** Checks `access`, at the top and of every server, and what it does not go together with. */
export function checkAccess(context: CheckContext): void {
  const { config } = context
  for (const [index, entry] of entriesOf(config.access)) checkEntry(entry, ['access', index], context)
  checkMode(config, [], context)
  for (const [index, server] of entriesOf(config.servers)) {
    const at = ['servers', index]
    for (const [position, entry] of entriesOf(server.access)) checkEntry(entry, [...at, 'access', position], context)
    checkMode(server, at, context, config.access !== undefined)
    checkServer(server, config, at, context)
  }
}

function checkEntry(entry: Entry, at: ConfigPath, context: CheckContext): void {
  const { isBroken, report } = context
  const has = (key: keyof AccessEntryConfig): boolean => entry[key] !== undefined || isBroken([...at, key])
  const conditions = CONDITIONS.filter(has)
  if (conditions.length === 0) {
    const names = CONDITIONS.slice(0, 3).map((key) => `\`${key}\``)
    report(at, { reason: 'says nothing of who it is for', fix: `Add ${names.join(', ')} or \`everyone: true\`.` })
  }
  if (entry.everyone === true && conditions.length > 1)
    report([...at, 'everyone'], { reason: 'is for everyone and for some', fix: 'Remove `everyone`, or the other conditions.' })
  if (!OPERATIONS.some(([key]) => has(key))) {
    const names = OPERATIONS.map(([key]) => `\`${key}\``)
    report(at, { reason: 'opens nothing', fix: `Add ${names.join(', ')}, each a list.` })
  }
  if (has('claim') !== has('values'))
    report(at, { reason: '`claim` and `values` belong together', fix: `Add \`${has('claim') ? 'values' : 'claim'}\`.` })
  checkPatterns(entry, at, context)
  checkMayHold(checkExpression(entry.who, 'who', [...at, 'who'], context), {}, [...at, 'who'], context)
}

function checkPatterns(entry: Entry, at: ConfigPath, { report }: CheckContext): void {
  for (const [key, findMistake] of OPERATIONS) {
    for (const [index, pattern] of (entry[key] ?? []).entries()) {
      const mistake: Mistake | undefined = pattern === undefined ? undefined : findMistake(pattern)
      if (mistake) report([...at, key, index], mistake)
    }
  }
}

function checkMode(
  { access, access_mode }: PartialConfig<Pick<Config & ServerConfig, 'access' | 'access_mode'>>,
  at: ConfigPath,
  { isBroken, report }: CheckContext,
  appliesFromTop = false,
): void {
  if (access_mode !== 'shadow' || access !== undefined || appliesFromTop || isBroken([...at, 'access'])) return
  report([...at, 'access_mode'], { reason: 'there is no `access` that it could be about', fix: 'Add `access`, or remove it.' })
}

/** Where `access` is enforced, or a rule asks for more than scopes, nothing else may decide beside them or go around them. */
function checkServer(
  server: PartialConfig<ServerConfig>,
  config: PartialConfig<Config>,
  at: ConfigPath,
  { report }: CheckContext,
): void {
  const hasAccess = server.access !== undefined || config.access !== undefined
  const isEnforced = hasAccess && (server.access_mode ?? config.access_mode) !== 'shadow'
  if (isEnforced && server.unlisted_operations !== undefined)
    report([...at, 'unlisted_operations'], {
      reason: '`access` says already what is open',
      fix: 'Remove it, or try `access` first with `access_mode: shadow`.',
    })
  const condition = isEnforced ? '`access`' : describeCondition(entriesOf(server.rules).map(([, rule]) => rule))
  if (server.legacy_clients === 'signature_only' && condition !== undefined)
    report([...at, 'legacy_clients'], {
      reason: `\`signature_only\` lets clients of HTTP+SSE past ${condition}`,
      fix: `Use \`enforce\` or \`reject\`, or serve them at another server of the configuration.`,
    })
}

function describeCondition(rules: readonly PartialConfig<RuleConfig>[]): string | undefined {
  const [key] = rules.flatMap((rule) => (['require', 'deny'] as const).filter((name) => rule[name] !== undefined))
  if (key !== undefined) return `a rule with ${quote(key)}`
  return rules.some((rule) => rule.on_deny === 'hide') ? 'a rule that hides' : undefined
}
