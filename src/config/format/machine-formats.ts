import { isAccessKey } from '../../core/access-key.ts'
import type { Mistake } from '../problem/problem.ts'

/** What is no digest is not repeated: it may be the key. */
export function findKeyDigestMistake(text: string): Mistake | undefined {
  if (isAccessKey(text))
    return {
      reason: 'is an access key itself, not its digest',
      fix: 'Make a new key with `keys create --entry` and write the digest that it prints: anyone who can read this file could use this key.',
    }
  if (/^sha256:[0-9a-f]{64}$/.test(text)) return undefined
  return {
    reason: 'is not `sha256:` and 64 hexadecimal digits in lower case',
    fix: 'Write what `keys hash` prints for the key.',
  }
}

const DATE = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?Z)?$/

/** A date, or a time in UTC. Of those there are: `Date.parse` takes February 30 for March 2. */
export function findDateMistake(text: string): Mistake | undefined {
  const date = DATE.test(text) ? new Date(text) : undefined
  if (date !== undefined && !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text.slice(0, 10))) return undefined
  return { reason: 'is not a date', fix: 'Write it like 2027-03-01, or in UTC with a time: 2027-03-01T12:00:00Z.' }
}

/** The authority of a SPIFFE ID (SPIFFE-ID §2.1). */
export function findTrustDomainMistake(text: string): Mistake | undefined {
  if (/^[a-z\d._-]{1,255}$/.test(text)) return undefined
  return {
    reason: 'is no trust domain of SPIFFE',
    fix: 'Write it without scheme and path, in small letters: example.org.',
  }
}
