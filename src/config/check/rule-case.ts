import { entriesOf } from '../derive/present-items.ts'
import { findJsonMistake, findJsonTextMistake } from '../format/json-value.ts'
import type { ConfigPath, Report } from '../problem/problem.ts'
import type { Parsed, PartialConfig } from '../schema/partial-config.ts'
import type { RuleCaseConfig, RuleCasesConfig } from '../schema/rule-case.ts'

type Case = PartialConfig<RuleCaseConfig>

const OPERATIONS = ['tool', 'prompt', 'resource', 'method', 'list'] as const

/** Checks what the keys of each case say together. */
export function checkRuleCases({ partial, isBroken }: Parsed<RuleCasesConfig>, report: Report): void {
  for (const [index, one] of entriesOf(partial.cases)) {
    const at = ['cases', index]
    const has = (key: keyof RuleCaseConfig): boolean => one[key] !== undefined || isBroken([...at, key])
    checkOperation(has, at, report)
    checkExpectation(one, has, at, report)
    checkValues(one, at, report)
  }
}

type Has = (key: keyof RuleCaseConfig) => boolean

function checkOperation(has: Has, at: ConfigPath, report: Report): void {
  const [first, second] = OPERATIONS.filter(has)
  if (first === undefined)
    report(at, { reason: 'asks for nothing', fix: 'Add one of `tool`, `prompt`, `resource`, `method` and `list`.' })
  if (second !== undefined) report([...at, second], { reason: `stands beside \`${first}\``, fix: 'Make two cases of it.' })
  if (has('args') && (first === 'resource' || first === 'list'))
    report([...at, 'args'], { reason: `belongs to no \`${first}\``, fix: 'Remove it.' })
}

function checkExpectation({ expect, of, shows }: Case, has: Has, at: ConfigPath, report: Report): void {
  if (has('list')) {
    for (const key of ['of', 'shows'] as const)
      if (!has(key)) report(at, { reason: `\`${key}\` is missing beside \`list\``, fix: `Add \`${key}\`, a list of names.` })
    if (has('expect')) report([...at, 'expect'], { reason: 'is not for lists', fix: 'Say in `shows` what is seen.' })
    if (has('would_deny'))
      report([...at, 'would_deny'], { reason: 'is not for lists: shadow mode leaves them as they are', fix: 'Remove it.' })
    for (const [index, name] of entriesOf(shows))
      if (of && !of.includes(name)) report([...at, 'shows', index], { reason: 'is not in `of`', fix: 'Add it there, too.' })
    return
  }
  for (const key of ['of', 'shows'] as const)
    if (has(key)) report([...at, key], { reason: 'is for lists', fix: 'Remove it, or add `list`.' })
  if (!has('expect')) report(at, { reason: '`expect` is missing', fix: 'Write permit, deny, challenge or hide.' })
  if (has('scopes') && expect !== 'challenge' && expect !== undefined)
    report([...at, 'scopes'], {
      reason: 'is for `expect: challenge`',
      fix: 'Remove it. What the caller has goes into `principal.scopes`.',
    })
}

function checkValues({ args, principal }: Case, at: ConfigPath, report: Report): void {
  const ofArgs = args === undefined ? undefined : typeof args === 'string' ? findJsonTextMistake(args) : findJsonMistake(args)
  if (ofArgs) report([...at, 'args'], ofArgs)
  const ofClaims = principal?.claims && findJsonMistake(principal.claims)
  if (ofClaims) report([...at, 'principal', 'claims'], ofClaims)
}
