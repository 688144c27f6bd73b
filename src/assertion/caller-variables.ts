import type { CallerVariables } from '../core/caller-variables.ts'
import { hashId } from '../core/hash-id.ts'
import type { NamedClaim } from '../core/plan/identity-plan.ts'
import type { Principal } from '../core/principal.ts'
import { findCallerClaim } from './caller-claims.ts'
import { formatPlainValue } from './plain-value.ts'

/** Linux gives a program no variable of more than 128 KiB, and all of them together share a few MiB with its arguments. */
const MAX_LENGTH = 32 * 1024

/**
 * Formats claims as environment variables, in the form of plain headers. A variable whose claim has none, holds control characters or is longer
 * than 32,768 characters is left out.
 *
 * @param issuer - URL of the public side
 */
export function listVariables(variables: readonly NamedClaim[], principal: Principal, issuer: string): CallerVariables {
  const values = Object.fromEntries(
    variables.flatMap(({ name, claim }) => {
      const value = formatVariable(findCallerClaim(principal, issuer, claim))
      return value === undefined ? [] : [[name, value]]
    }),
  )
  return Object.freeze({ values: Object.freeze(values), digest: hashId(JSON.stringify(values)) })
}

function formatVariable(value: unknown): string | undefined {
  if (hasControl(value)) return undefined
  const text = formatPlainValue(value)
  // Some shells take a value of this form for a function, and run what stands behind it (CVE-2014-6271).
  return text === undefined || text.length > MAX_LENGTH || text.startsWith('()') ? undefined : text
}

/** Names have none, and a program that decodes a value would take one for the end of a line or text. */
function hasControl(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(hasControl)
  return typeof value === 'string' && /[\p{Cc}\u2028\u2029]/u.test(value)
}
