import { checkStrictJson } from '../../core/json/strict-json.ts'
import { StrictJsonError } from '../../core/json/strict-json-error.ts'
import type { Mistake } from '../problem/problem.ts'

/** Deeper values are refused by every proxy. */
const MAX_DEPTH = 128

const NOT_EXACT: Mistake = {
  reason: 'holds a number that YAML has rounded, or that JSON does not know',
  fix: 'Write the whole value as JSON text in single quotes: numbers stay exact there. In claims, put the number into quotes.',
}
const NOT_JSON: Mistake = { reason: 'cannot be written as JSON', fix: 'Write plain texts, numbers, lists and blocks of keys.' }

/** Why a value of a YAML file is not exactly what its author wrote, when it is sent as JSON. */
export function findJsonMistake(value: unknown): Mistake | undefined {
  let isExact = true
  const watch = (_key: string, member: unknown): unknown => {
    if (typeof member === 'number' && !isExactNumber(member)) isExact = false
    return member
  }
  try {
    // Aliases can make a value that contains itself.
    return findJsonTextMistake(JSON.stringify(value, watch) ?? '') ?? (isExact ? undefined : NOT_EXACT)
  } catch {
    return NOT_JSON
  }
}

function isExactNumber(number: number): boolean {
  return Number.isFinite(number) && Math.abs(number) <= Number.MAX_SAFE_INTEGER
}

/** Why a text is no JSON that can be read in one way only. */
export function findJsonTextMistake(text: string): Mistake | undefined {
  try {
    checkStrictJson(text, MAX_DEPTH)
  } catch (error) {
    if (!(error instanceof StrictJsonError)) throw error
    const reason = error.kind === 'ambiguous' ? 'is JSON that can be read in two ways' : 'is not JSON'
    return { reason: `${reason}: ${error.message}`, fix: 'Correct the text.' }
  }
  return /^\s*\{/.test(text) ? undefined : { reason: 'is no JSON object', fix: 'Write names and values: { … }.' }
}
