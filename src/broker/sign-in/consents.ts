import type { Grant, KoaContextWithOIDC } from 'oidc-provider'
import type { Clock } from '../../core/clock.ts'
import { createEncryptedCollection, type EncryptedCollection } from '../../core/encrypted-collection.ts'
import type { Encryption } from '../../core/encryption.ts'
import { hashId } from '../../core/hash-id.ts'
import type { Store } from '../../core/store.ts'
import { isOnThisComputer } from '../pages/page.ts'
import { groupOfAccount, groupOfClient } from '../storage/oidc-adapter.ts'

/** What a user once allowed: this client, answered there, with these scopes of that resource. */
export interface Consent {
  readonly subject: string
  readonly clientId: string
  readonly redirectUri: string
  readonly resource: string
  readonly scopes: readonly string[]
}

/** Remembers what users allowed, so that they aren't asked the same again. */
export interface Consents {
  remember(consent: Consent): Promise<void>
  /**
   * A grant for the request, when its user allowed all of it before.
   *
   * @param may - scopes of the resource that the user may have; consent is asked for these only
   */
  recall(ctx: KoaContextWithOIDC, may: ReadonlySet<string>): Promise<Grant | undefined>
}

/** Versions that kept this in the clear call it `Consent`, and may share the store. */
const KIND = 'AllowedScopes'

type KeptScopes = EncryptedCollection<readonly string[]>

/**
 * What is kept is encrypted for the one entry: who can write the store could otherwise allow a client what its user did not.
 *
 * @param seconds - for which a consent is remembered
 */
export function createConsents(store: Store, encryption: Encryption, clock: Clock, seconds: number): Consents {
  const kept: KeptScopes = createEncryptedCollection(store, encryption, KIND, hashId)
  return {
    async remember(consent) {
      if (!isWorthRemembering(consent.redirectUri)) return
      const before = await findScopes(kept, consent)
      const scopes = [...new Set([...before, ...consent.scopes])]
      const terms = {
        expiresAt: clock.wall() + seconds * 1000,
        groups: [groupOfAccount(consent.subject), groupOfClient(consent.clientId)],
      }
      await kept.put(nameConsent(consent), scopes, terms)
    },
    async recall(ctx, may) {
      const asked = readRequest(ctx)
      if (asked === undefined || !isWorthRemembering(asked.redirectUri)) return undefined
      const allowed = new Set(await findScopes(kept, asked))
      const scopes = divideScopes(asked.scopes, may)
      if (scopes.granted.length === 0 || !scopes.granted.every((scope) => allowed.has(scope))) return undefined
      const grant = new ctx.oidc.provider.Grant({ accountId: asked.subject, clientId: asked.clientId })
      addScopes(grant, asked.resource, scopes)
      await grant.save()
      return grant
    },
  }
}

/**
 * Anyone on the user's computer can take an answer that is sent to a loopback address or a private scheme, whatever client it calls
 * itself: there the user is asked each time (RFC 8252 §8.6).
 */
function isWorthRemembering(redirectUri: string): boolean {
  return !isOnThisComputer(redirectUri)
}

async function findScopes(kept: KeptScopes, consent: Consent): Promise<readonly string[]> {
  return (await kept.find(nameConsent(consent))) ?? []
}

function nameConsent({ subject, clientId, redirectUri, resource }: Consent): string {
  return JSON.stringify([subject, clientId, redirectUri, resource])
}

function readRequest({ oidc }: KoaContextWithOIDC): Consent | undefined {
  const { params, session, client } = oidc
  const { resource, redirect_uri: redirectUri, scope } = params ?? {}
  const subject = session?.accountId
  if (subject === undefined || client === undefined || typeof resource !== 'string' || typeof redirectUri !== 'string')
    return undefined
  return { subject, clientId: client.clientId, redirectUri, resource, scopes: typeof scope === 'string' ? scope.split(' ') : [] }
}

/** Scopes of the protocol itself stand beside those of the resource. */
const PROTOCOL_SCOPES = new Set(['openid', 'offline_access'])

/** Scopes that were asked for, by what becomes of them. */
export interface DividedScopes {
  readonly granted: readonly string[]
  /** Those that the user may not have. */
  readonly refused: readonly string[]
}

/** @param may - scopes of the resource that the user may have */
export function divideScopes(asked: readonly string[], may: ReadonlySet<string>): DividedScopes {
  const granted = asked.filter((scope) => PROTOCOL_SCOPES.has(scope) || may.has(scope))
  return { granted, refused: asked.filter((scope) => !granted.includes(scope)) }
}

/** Puts scopes into a grant. Scopes that the user may not have now stay out: if that changes, the user is asked then. */
export function addScopes(grant: Grant, resource: string, { granted, refused }: DividedScopes): void {
  grant.addOIDCScope(granted.filter((scope) => PROTOCOL_SCOPES.has(scope)).join(' '))
  grant.addResourceScope(resource, granted.filter((scope) => !PROTOCOL_SCOPES.has(scope)).join(' '))
  // Or the provider would ask for them without end.
  if (refused.length > 0) grant.rejectResourceScope(resource, refused.join(' '))
}
