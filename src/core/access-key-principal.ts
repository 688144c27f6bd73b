import { ACCESS_KEY_ISSUER, type AccessKey, nameAccessKeyId } from './access-key.ts'
import type { Principal } from './principal.ts'

/**
 * Who calls with an access key. A user that the key names is one of its own issuer only where that was said; otherwise the subject is of no
 * real issuer, so that it is never taken for a user who signs in.
 */
export function createKeyPrincipal(key: AccessKey): Principal {
  const { name, user, scopes, createdAt, expiresAt } = key
  const issuer = user?.issuer ?? ACCESS_KEY_ISSUER
  const id = nameAccessKeyId(key)
  const claims = {
    iss: issuer,
    ...(user && { sub: user.subject }),
    client_id: name,
    scope: scopes.join(' '),
    ...(createdAt !== undefined && { iat: createdAt }),
    exp: expiresAt,
    jti: id,
  }
  return Object.freeze({
    issuer,
    subject: user?.subject,
    clientId: name,
    scopes: new Set(scopes),
    groups: [],
    // A machine is in no group. A user may be, and the key does not say so.
    ...(user && { groupsUnknown: 'an access key does not say which groups its user is in' }),
    assurance: 'audience' as const,
    expiresAt,
    acceptedUntil: expiresAt,
    accessKey: Object.freeze({ name, id }),
    claims: Object.freeze(claims),
  })
}
