import type { ClaimCondition } from './plan/issuer-plan.ts'

export type Claims = Readonly<Record<string, unknown>>

/** Whether claims meet a condition: the claim has one of the values, or holds one in its list. */
export function meetsCondition({ claim, values }: ClaimCondition, claims: Claims): boolean {
  if (claim === 'email_domain') return isDomainAmong(values, claims)
  if (claim === 'email') return isAddressAmong(values, claims)
  const held = readClaim(claims, claim)
  const texts = (Array.isArray(held) ? held : [held]).map((value) =>
    // Beyond 2^53 a number was rounded, and could be that of another.
    Number.isSafeInteger(value) || typeof value === 'boolean' ? String(value) : value,
  )
  return texts.some((text) => typeof text === 'string' && values.includes(text))
}

/** An address that the identity provider has not verified may belong to another user. */
function isDomainAmong(domains: readonly string[], claims: Claims): boolean {
  const { email } = claims
  if (typeof email !== 'string' || !isVerified(claims)) return false
  const at = email.lastIndexOf('@')
  const domain = at < 1 ? undefined : foldCase(email.slice(at + 1))
  return domain !== undefined && domains.some((candidate) => foldCase(candidate) === domain)
}

function isAddressAmong(addresses: readonly string[], claims: Claims): boolean {
  const { email } = claims
  if (typeof email !== 'string' || !isVerified(claims)) return false
  return addresses.some((candidate) => foldCase(candidate) === foldCase(email))
}

/** ASCII alone: `toLowerCase` makes one letter of several (the Kelvin sign is a k), and so one address of two. */
function foldCase(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
}

/** Whether the identity provider says that it has verified the email address. */
export function isVerified({ email_verified: verified }: Claims): boolean {
  return verified === true || verified === 'true'
}

/** A claim by its name, or by a path with dots into objects. */
export function readClaim(claims: Claims, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name]
  let value: unknown = claims
  for (const part of name.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined
    value = (value as Record<string, unknown>)[part]
  }
  return value
}
