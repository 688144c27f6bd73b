import { METHODS_WITH_ARGUMENTS } from '../../core/operation.ts'
import type { CompiledExpression } from '../../policy/expression/expression.ts'
import type { KnownFacts } from '../../policy/expression/names.ts'
import { type ConfigPath, quote } from '../problem/problem.ts'
import type { RuleConfig } from '../schema/access.ts'
import type { PartialConfig } from '../schema/partial-config.ts'
import type { CheckContext } from './check-context.ts'
import { checkExpression, checkMayHold } from './expression.ts'
import { findMethodMistake, findNamePatternMistake } from './name-patterns.ts'
import { findResourcePatternMistake } from './resource-patterns.ts'

type Rule = PartialConfig<RuleConfig>

const MATCHERS = ['method', 'tool', 'prompt', 'resource', 'path'] as const
const DEMANDS = ['scopes', 'require', 'deny'] as const

const PATTERNS = [
  ['method', findMethodMistake],
  ['tool', findNamePatternMistake],
  ['prompt', findNamePatternMistake],
  ['resource', findResourcePatternMistake],
] as const

/** Checks a rule of a server: what it is about, and what it asks for. */
export function checkRule(rule: Rule, paths: readonly string[], at: ConfigPath, context: CheckContext): void {
  checkMatchers(rule, paths, at, context)
  checkDemands(rule, at, context)
  const expression = checkExpression(rule.require, 'require', [...at, 'require'], context)
  if (expression === undefined) return
  checkReach(rule, expression, [...at, 'require'], context)
  checkMayHold(expression, findKnownFacts(rule), [...at, 'require'], context)
}

function checkMatchers(rule: Rule, paths: readonly string[], at: ConfigPath, { isBroken, report }: CheckContext): void {
  const used = MATCHERS.filter((matcher) => rule[matcher] !== undefined || isBroken([...at, matcher]))
  if (used.length !== 1) {
    const names = MATCHERS.map((matcher) => `\`${matcher}\``).join(', ')
    const reason = used.length === 0 ? 'says for nothing that something is needed' : `has ${used.join(' and ')}`
    report(at, { reason, fix: `Use exactly one of ${names}; write another rule for another one.` })
  }
  for (const [key, findMistake] of PATTERNS) {
    const mistake = rule[key] === undefined ? undefined : findMistake(rule[key])
    if (mistake) report([...at, key], mistake)
  }
  if (rule.path !== undefined && !paths.includes(rule.path)) {
    report([...at, 'path'], {
      reason: `${quote(rule.path)} is no path of this server`,
      fix: paths.length === 0 ? 'Remove the rule.' : `Write one of ${paths.join(', ')}.`,
    })
  }
}

function checkDemands(rule: Rule, at: ConfigPath, { isBroken, report }: CheckContext): void {
  const demands = DEMANDS.filter((key) => rule[key] !== undefined || isBroken([...at, key]))
  const isAboutAudit = rule.audit_arguments !== undefined || isBroken([...at, 'audit_arguments'])
  if (demands.length === 0 && !isAboutAudit)
    report(at, {
      reason: 'asks for nothing',
      fix: 'Add `scopes`, `require` or `deny: true`; `scopes: []` where a rule only lists an operation.',
    })
  if (rule.deny === true && demands.length > 1)
    report([...at, 'deny'], {
      reason: `denies in any case, whatever ${quote(demands[0] ?? '')} says`,
      fix: 'Remove one of the two.',
    })
  if (rule.on_deny === 'hide' && rule.path !== undefined)
    report([...at, 'on_deny'], {
      reason: 'a path cannot be hidden',
      fix: 'Remove it, or write a rule about a tool, prompt, resource or method.',
    })
  if (rule.audit_arguments !== undefined && rule.mode === 'shadow')
    report([...at, 'audit_arguments'], {
      reason: 'has no effect in a rule that is only tried',
      fix: 'Remove it, or write a rule of its own with it.',
    })
  if (rule.reason !== undefined && rule.require === undefined && rule.deny === undefined && !isBroken(at))
    report([...at, 'reason'], {
      reason: 'is never shown: for missing scopes the client asks its user',
      fix: 'Remove it, or add `require` or `deny`.',
    })
}

/** An expression about what its operations do not have would refuse them all. */
function checkReach(rule: Rule, expression: CompiledExpression, at: ConfigPath, { report }: CheckContext): void {
  if (rule.path !== undefined && (expression.readsOperation || expression.readsArguments))
    report(at, {
      reason: 'a rule about a path holds for requests without an operation, too, and they would all be refused',
      fix: 'Leave out `operation` and `args`, or write the rule about a method, tool, prompt or resource.',
    })
  const hasArguments = rule.tool !== undefined || rule.prompt !== undefined || METHODS_WITH_ARGUMENTS.has(rule.method ?? '')
  if (rule.path === undefined && expression.readsArguments && !hasArguments)
    report(at, {
      reason: `${rule.resource === undefined ? `not all calls of ${quote(rule.method ?? '')}` : 'no uses of resources'} have arguments: they would be refused`,
      fix: 'Leave out `args`, or write the rule about a tool, a prompt, `tools/call` or `prompts/get`.',
    })
}

/** Methods with a target of a kind that is known. */
const KINDS: Readonly<Record<string, KnownFacts['kind']>> = {
  'tools/call': 'tool',
  'prompts/get': 'prompt',
  'resources/read': 'resource',
  'resources/subscribe': 'resource',
  'resources/unsubscribe': 'resource',
}
/** Whether these have one, and of which kind, differs from call to call. */
const METHODS_OF_MANY_KINDS: ReadonlySet<string> = new Set(['completion/complete', 'subscriptions/listen'])

/** What all calls have in common that a rule is about. */
function findKnownFacts({ tool, prompt, resource, method }: Rule): KnownFacts {
  if (tool !== undefined) return { method: 'tools/call', kind: 'tool', ...findKnownName(tool) }
  if (prompt !== undefined) return { kind: 'prompt', ...findKnownName(prompt) }
  if (resource !== undefined) return { kind: 'resource' }
  if (method === undefined || method.endsWith('*')) return {}
  const kind = Object.hasOwn(KINDS, method) ? KINDS[method] : 'none'
  return { method, ...(kind !== undefined && !METHODS_OF_MANY_KINDS.has(method) && { kind }) }
}

function findKnownName(pattern: string): Pick<KnownFacts, 'target'> {
  return pattern.includes('*') ? {} : { target: pattern }
}
