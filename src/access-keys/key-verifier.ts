import { digestAccessKey, isAccessKey } from '../core/access-key.ts'
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
function verifyKey(text: string, address: string, { ring, server, clock, onUse }: KeyVerifierOptions): Principal {
  const digest = digestAccessKey(text)
  if (digest === undefined) throw refuse('access_key_malformed', 'it begins like an access key; its length or checksum is wrong')
  const held = ring.find(digest)
  if (held === undefined) throw refuse('access_key_unknown', 'the access key is not known here')
  const { key, addresses, isRevoked, principal } = held
  const name = `the access key ${JSON.stringify(key.name)}`
  if (isRevoked) throw refuse('access_key_revoked', `${name} was revoked`)
  if (addresses?.has(address) === false) throw refuse('access_key_address', `${name} may not come from ${address}`)
  if (clock.wall() >= key.expiresAt * 1000)
    throw new ProxyError('token_expired', { cause: `${name} expired at ${new Date(key.expiresAt * 1000).toISOString()}` })
  if (!key.servers.includes(server))
    throw new ProxyError('token_audience_mismatch', {
      reason: 'access_key_server',
      cause: `${name} is for ${key.servers.join(', ')}`,
    })
  onUse(held)
  return principal
}

function refuse(reason: ReasonOf<'token_invalid'>, cause: string): ProxyError {
  return new ProxyError('token_invalid', { reason, cause })
}
