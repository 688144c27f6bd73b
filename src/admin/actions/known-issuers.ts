import { ACCESS_KEY_ISSUER } from '../../core/access-key.ts'
import { invalidInput } from './read-members.ts'

/** An issuer whose tokens a server accepts. */
export interface KnownIssuer {
  readonly issuer: string
  /** Other names that operators know it by. */
  readonly aliases: readonly string[]
  /** Longest time for which its tokens can be accepted, in seconds, clock tolerance included. */
  readonly longestSeconds: number
  /** How far its clock may be ahead. */
  readonly toleranceSeconds: number
}

/**
 * Finds the issuer that an operator means. A subject is unique within its issuer only (OpenID Connect Core §2), so that none is guessed.
 *
 * @throws ProxyError `admin_input_invalid` that names the issuers there are
 */
export function chooseIssuer(named: string | undefined, known: readonly KnownIssuer[]): KnownIssuer {
  // No user signs in at the issuer of access keys: it is meant only where it is named, or where there is no other.
  const real = known.filter(({ issuer }) => issuer !== ACCESS_KEY_ISSUER)
  const [first, ...others] = real.length > 0 ? real : known
  const names = known.map(({ issuer }) => issuer).join(', ')
  if (named === undefined) {
    if (first === undefined || others.length > 0) throw invalidInput(`issuer is missing, and there is more than one: ${names}`)
    return first
  }
  const found = known.find(({ issuer, aliases }) => issuer === named || aliases.includes(named))
  if (found === undefined) throw invalidInput(`no server accepts tokens of the issuer ${JSON.stringify(named)}, but of ${names}`)
  return found
}
