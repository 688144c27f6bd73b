import { readClaim } from '../core/claim-condition.ts'
import { normalizeGroup } from '../core/group-name.ts'
import type { GroupsPlan } from '../core/plan/issuer-plan.ts'
import type { Principal } from '../core/principal.ts'

type Claims = Readonly<Record<string, unknown>>

/** The groups of a principal; the reason where they are not known. */
export type Groups = Pick<Principal, 'groups' | 'groupsUnknown'>

const NOT_TEXT = 'is neither a list of texts nor a text'
const OVERAGE =
  'the user is in too many groups for the token, so Microsoft Entra ID left them all out: have it send only those assigned to the application'
const NO_CLAIM = 'the identity provider sends no groups of itself: name the claim that holds them as `groups_claim`'

/**
 * Reads the groups of verified claims, from the one claim that is configured: groups and roles are never merged.
 *
 * A list holds one group in each text; a text is one group, unless a separator says otherwise, since names have blanks (`Finance Admins`
 * must not become `Admins`). The leading slash of Keycloak's paths (`/finance`) is dropped, nothing else: `/a/b` and `b` are two groups.
 *
 * What cannot be read is not the same as no groups: `!('contractors' in principal.groups)` must not hold for a user whose groups are not
 * known. Only an absent claim and `null` mean that there are none.
 *
 * @param claims - of a verified token, or of a user
 * @returns each group once
 */
export function readGroups(claims: Claims, { claim, separator }: GroupsPlan): Groups {
  if (claim === undefined) return unknown(NO_CLAIM)
  const value = readClaim(claims, claim) ?? undefined
  if (value === undefined) return isLeftOut(claims, claim) ? unknown(OVERAGE) : { groups: NONE }
  const texts: readonly unknown[] = Array.isArray(value) ? value : splitText(value, separator)
  if (!texts.every((text) => typeof text === 'string')) return unknown(`the claim ${claim} ${NOT_TEXT}`)
  return { groups: Object.freeze([...new Set(texts.map(normalizeGroup))].filter((group) => group !== '')) }
}

const NONE: readonly string[] = Object.freeze([])

function unknown(reason: string): Groups {
  return { groups: NONE, groupsUnknown: reason }
}

/**
 * Whether groups were left out of the claims because there are too many. Entra ID says so by `_claim_names` (OpenID Connect Core §5.6.2),
 * or by `hasgroups` where the token travels in a URL.
 */
export function isLeftOut({ _claim_names: names, hasgroups }: Claims, claim: string): boolean {
  if (typeof names === 'object' && names !== null && Object.hasOwn(names, claim)) return true
  return claim === 'groups' && (hasgroups === true || hasgroups === 'true')
}

function splitText(value: unknown, separator: string | undefined): readonly unknown[] {
  return typeof value === 'string' && separator !== undefined ? value.split(separator).map((text) => text.trim()) : [value]
}
