import type { z } from 'zod'
import { findNearest } from '../../core/nearest-word.ts'
import { type ConfigPath, type Mistake, type Problem, problemAt, quote } from '../problem/problem.ts'
import { findNode, resolveNode, type SchemaNode } from './json-schema.ts'
import { explainForeignKey, type KeyAdvice } from './key-hints.ts'
import { LITERAL_SECRET } from './values.ts'

type Issue = z.core.$ZodIssue

/** What the mistakes of a value are told with. */
interface Explainer {
  readonly root: SchemaNode
  readonly value: unknown
  readonly advise: KeyAdvice
}

/**
 * Tells every mistake that a schema found.
 *
 * @param issues - what zod reports
 * @param root - JSON Schema of the same schema
 * @param value - what was checked
 * @param advise - explains keys that the schema does not know but a reader may
 */
export function explainIssues(
  issues: readonly Issue[],
  root: SchemaNode,
  value: unknown,
  advise: KeyAdvice = explainForeignKey,
): Problem[] {
  const explainer: Explainer = { root, value, advise }
  return issues.flatMap((issue) => explainIssue(issue, explainer))
}

/** Whether the value at the issue's path has another type than its schema says, so that nothing else can be said of it. */
export function isTypeIssue(issue: Issue): boolean {
  return !['custom', 'unrecognized_keys', 'too_small', 'too_big', 'not_multiple_of'].includes(issue.code)
}

/** The keys that unknown ones were meant to be: that they are absent is no mistake of its own. */
export function listMeantKeys(issues: readonly Issue[], root: SchemaNode, value: unknown): ConfigPath[] {
  return issues.flatMap((issue) => {
    if (issue.code !== 'unrecognized_keys') return []
    const at = issue.path.map((segment) => (typeof segment === 'symbol' ? String(segment) : segment))
    return issue.keys
      .map((key) => findNearest(key, listKnownKeys(root, at)))
      .filter((key) => key !== undefined)
      .map((key) => [...at, key])
      .filter((path) => valueAt(value, path) === undefined)
  })
}

function listKnownKeys(root: SchemaNode, at: ConfigPath): string[] {
  const node = findNode(root, at)
  return Object.keys((node && resolveNode(root, node).properties) ?? {})
}

function explainIssue(issue: Issue, explainer: Explainer): Problem[] {
  const at = issue.path.map((segment) => (typeof segment === 'symbol' ? String(segment) : segment))
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => explainUnknownKey(at, key, explainer))
  return [problemAt(at, explainMistake(issue, at, explainer))]
}

function explainMistake(issue: Issue, at: ConfigPath, explainer: Explainer): Mistake {
  const written = valueAt(explainer.value, at)
  switch (issue.code) {
    case 'custom':
      return { reason: issue.message, fix: typeof issue.params?.fix === 'string' ? issue.params.fix : 'Correct the value.' }
    case 'invalid_value':
      return explainChoice(issue.values.map(String), written)
    case 'too_small':
      return explainBound(`at least ${issue.minimum}`, issue.origin)
    case 'too_big':
      return explainBound(`at most ${issue.maximum}`, issue.origin)
    case 'invalid_type':
      return explainType(issue.expected, written, at, explainer)
    default:
      return { reason: issue.message, fix: 'Correct the value.' }
  }
}

function explainUnknownKey(at: ConfigPath, key: string, explainer: Explainer): Problem {
  const advice = explainer.advise(at, key)
  if (advice) return problemAt([...at, key], advice)
  const known = listKnownKeys(explainer.root, at)
  const nearest = findNearest(key, known)
  // Where a secret is named, an unknown key may be the secret itself.
  if (nearest === undefined && known.includes('env') && known.includes('file'))
    return problemAt(at, { reason: 'has an unknown key', fix: `Remove it. Known keys: ${known.join(', ')}.` })
  return problemAt([...at, key], {
    reason: 'is not a known key',
    fix: nearest === undefined ? `Remove it. Known keys: ${known.join(', ')}.` : `Did you mean \`${nearest}\`?`,
  })
}

function explainChoice(choices: readonly string[], written: unknown): Mistake {
  if (written === undefined) return { reason: 'is missing', fix: `Write one of ${choices.join(', ')}.` }
  const nearest = typeof written === 'string' ? findNearest(written, choices) : undefined
  if (choices.length === 1) {
    const [only = ''] = choices
    const found = typeof written === 'object' ? nameType(written) : String(written)
    return {
      reason: `is ${typeof written === 'string' ? quote(written) : found}, and can only be ${only}`,
      fix: `Write ${only}, or leave the key out.`,
    }
  }
  return {
    reason: `${typeof written === 'string' ? quote(written) : nameType(written)} is not one of the possible values`,
    fix:
      nearest === undefined
        ? `Write one of ${choices.join(', ')}.`
        : `Did you mean \`${nearest}\`? Possible: ${choices.join(', ')}.`,
  }
}

function explainBound(bound: string, origin: string): Mistake {
  if (origin === 'string') return { reason: 'is empty', fix: 'Write a value, or leave the key out.' }
  if (origin === 'array') return { reason: `must hold ${bound}`, fix: 'Add an item.' }
  return { reason: `must be ${bound}`, fix: `Write a number that is ${bound}.` }
}

function explainType(expected: string, written: unknown, at: ConfigPath, explainer: Explainer): Mistake {
  const node = findNode(explainer.root, at)
  const target = node && resolveNode(explainer.root, node)
  const meaning = node?.description ?? target?.description
  if (isSecretNode(explainer.root, node) && typeof written === 'string') return LITERAL_SECRET
  if (written === null) return { reason: 'is empty', fix: `Write a value, or leave the key out. ${meaning ?? ''}`.trim() }
  if (written === undefined) return { reason: 'is missing', fix: meaning === undefined ? 'Add it.' : `Add it: ${meaning}` }
  return {
    reason: `expected ${nameExpected(expected)}, found ${nameType(written)}`,
    fix: `${explainExample(expected, written)}${listFewKeys(explainer.root, at)}`,
  }
}

/** More of them would be a page. */
const MAX_LISTED_KEYS = 12

function listFewKeys(root: SchemaNode, at: ConfigPath): string {
  const keys = listKnownKeys(root, at)
  return keys.length === 0 || keys.length > MAX_LISTED_KEYS ? '' : ` Its keys: ${keys.join(', ')}.`
}

function isSecretNode(root: SchemaNode, node: SchemaNode | undefined): boolean {
  return node !== undefined && resolveNode(root, node) === root.definitions?.Secret
}

function explainExample(expected: string, written: unknown): string {
  if (expected === 'array' && typeof written === 'string' && written.includes(','))
    return 'Write a list with an item for each: [ one, other ]. Commas within a text separate nothing.'
  if (expected === 'array') return 'Write a list: [ … ], or one item per line behind a dash.'
  if (expected === 'object' || expected === 'record') return 'Write keys and values, each on a line of its own, indented.'
  if (expected === 'boolean') return 'Write true or false, without quotes.'
  if (expected === 'string') return 'Write a text; put it into quotes if it looks like a number.'
  return 'Write a number, without quotes.'
}

function nameExpected(expected: string): string {
  const names: Record<string, string> = {
    array: 'a list',
    object: 'a block of keys',
    record: 'a block of keys',
    boolean: 'true or false',
    string: 'a text',
    number: 'a number',
  }
  return names[expected] ?? expected
}

function nameType(value: unknown): string {
  if (value === null) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a block of keys'
  if (typeof value === 'string') return 'a text'
  return typeof value === 'number' ? 'a number' : 'true or false'
}

/** What was written at a place, or undefined. */
function valueAt(value: unknown, at: ConfigPath): unknown {
  let current = value
  for (const segment of at) {
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, segment)) return undefined
    current = (current as Record<string | number, unknown>)[segment]
  }
  return current
}
