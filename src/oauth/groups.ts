import { readClaim } from '../core/claim-condition.ts'
import type { GroupsPlan } from '../core/plan/issuer-plan.ts'

/**
 * Reads the groups of verified claims, from the one claim that is configured: groups and roles are never merged.
 *
 * A list holds one group in each text; a text is one group, unless a separator says otherwise, since names have blanks (`Finance Admins`
 * must not become `Admins`). The leading slash of Keycloak's paths (`/finance`) is dropped, nothing else: `/a/b` and `b` are two groups.
 *
 * @param claims - of a verified token
 * @returns each group once; none where the claim is absent or of another type
 */
export function readGroups(claims: Readonly<Record<string, unknown>>, { claim, separator }: GroupsPlan): readonly string[] {
  const value = readClaim(claims, claim)
  const texts = (Array.isArray(value) ? value : splitText(value, separator)).filter((text) => typeof text === 'string')
  return Object.freeze([...new Set(texts.map((text) => text.replace(/^\//, '')))].filter((group) => group !== ''))
}

function splitText(value: unknown, separator: string | undefined): readonly unknown[] {
  return typeof value === 'string' && separator !== undefined ? value.split(separator).map((text) => text.trim()) : [value]
}
