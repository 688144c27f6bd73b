import { type AccessKey, digestAccessKey, isAccessKey } from '../core/access-key.ts'
import type { Clock } from '../core/clock.ts'
import { ProxyError, type ReasonOf } from '../core/errors.ts'
import type { TokenVerifier } from '../core/ports.ts'
import type { Principal } from '../core/principal.ts'
import type { HeldKey, KeyRing } from './key-ring.ts'

export interface KeyVerifierOptions {
  readonly ring: Pick<KeyRing, 'find'>
  /** Name of the server whose callers are verified. */
  readonly server: string
  readonly clock: Clock
  /** Called when a key is accepted. */
  readonly onUse: (held: HeldKey) => void
}

/**
 * A verifier that also accepts access keys. Everything else is a token. What begins like a key is one: it is never parsed as a JWT, and no
 * issuer is asked about it.
 */
export function createKeyVerifier(tokens: TokenVerifier, options: KeyVerifierOptions): TokenVerifier {
  const { recall } = tokens
  return {
    ...tokens,
    verify: (credential, address) =>
      isAccessKey(credential) ? verifyKey(credential, address ?? '', options) : tokens.verify(credential, address),
    // Where a key comes from has to be looked at each time.
    ...(recall && { recall: (credential) => (isAccessKey(credential) ? undefined : recall(credential)) }),
  }
}

/** First whether it counts at all: a thief elsewhere learns no more than that it does not. */
function verifyKey(text: string, address: string, options: KeyVerifierOptions): Principal {
  const held = findKey(text, options.ring)
  const { key, addresses, principal } = held
  if (addresses?.has(address) === false) throw refuse('access_key_address', `${nameKey(key)} may not come from ${address}`)
  checkTerms(key, options)
  options.onUse(held)
  return principal
}

/**
 * Finds the key of a text among those that are in force.
 *
 * @throws ProxyError `token_invalid`, `issuer_unavailable`
 */
function findKey(text: string, ring: KeyVerifierOptions['ring']): HeldKey {
  const digest = digestAccessKey(text)
  if (digest === undefined) throw refuse('access_key_malformed', 'it begins like an access key; its length or checksum is wrong')
  const held = ring.find(digest)
  if (held === undefined) throw refuse('access_key_unknown', 'the access key is not known here')
  if (held.isRevoked) throw refuse('access_key_revoked', `${nameKey(held.key)} was revoked`)
  return held
}

function checkTerms(key: AccessKey, { server, clock }: Pick<KeyVerifierOptions, 'server' | 'clock'>): void {
  if (clock.wall() >= key.expiresAt * 1000)
    throw new ProxyError('token_expired', { cause: `${nameKey(key)} expired at ${new Date(key.expiresAt * 1000).toISOString()}` })
  if (key.servers.includes(server)) return
  throw new ProxyError('token_audience_mismatch', {
    reason: 'access_key_server',
    cause: `${nameKey(key)} is for ${key.servers.join(', ')}`,
  })
}

/**
 * Who would call with a key, for diagnoses: from which address is not looked at.
 *
 * @throws ProxyError as for a request
 */
export function explainKey(text: string, options: Omit<KeyVerifierOptions, 'onUse'>): Principal {
  const { key, principal } = findKey(text, options.ring)
  checkTerms(key, options)
  return principal
}

function nameKey({ name }: AccessKey): string {
  return `the access key ${JSON.stringify(name)}`
}

function refuse(reason: ReasonOf<'token_invalid'>, cause: string): ProxyError {
  return new ProxyError('token_invalid', { reason, cause })
}
