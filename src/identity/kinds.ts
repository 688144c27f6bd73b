import type { IdentityProviderKind } from '../core/plan/identity-provider-plan.ts'
import { asgardeo } from './asgardeo.ts'
import { auth0 } from './auth0.ts'
import { cognito } from './cognito.ts'
import { entra } from './entra.ts'
import { github } from './github.ts'
import { google } from './google.ts'
import { keycloak } from './keycloak.ts'
import {
  type GroupsDescription,
  type IdentityKind,
  type KindDescription,
  PLACE_KEYS,
  type Place,
  type PlaceKey,
  type PlaceMistake,
} from './kind.ts'
import { findKindOfIssuer } from './known-issuers.ts'
import { okta } from './okta.ts'
import { oauth, oidc } from './plain.ts'

const KINDS: Readonly<Record<IdentityProviderKind, IdentityKind>> = {
  asgardeo,
  auth0,
  keycloak,
  okta,
  entra,
  google,
  github,
  cognito,
  oidc,
  oauth,
}

/** Every kind of identity provider, in the words of the configuration. */
export const IDENTITY_PROVIDER_KINDS = Object.keys(KINDS) as [IdentityProviderKind, ...IdentityProviderKind[]]

/** What to know of an identity provider at a place that {@link findPlaceMistakes} finds nothing wrong with. */
export function describeKind(kind: IdentityProviderKind, place: Place): KindDescription {
  return KINDS[kind].describe(place)
}

/**
 * How groups arrive from a provider. A kind that says nothing of the product (`oidc`) is looked for by the issuer.
 *
 * @param kind - undefined where only the issuer is known
 */
export function describeGroups(kind: IdentityProviderKind | undefined, issuer: string): GroupsDescription {
  const isKnown = kind !== undefined && kind !== 'oidc'
  return KINDS[isKnown ? kind : (findKindOfIssuer(issuer) ?? 'oidc')].groups
}

/**
 * Finds what is wrong with a place: keys that the kind needs or has no use for, and values that cannot be.
 *
 * @param isKnown - whether a key was written, if only with a value that could not be read
 */
export function findPlaceMistakes(
  kind: IdentityProviderKind,
  place: Place,
  isKnown: (key: PlaceKey) => boolean = (key) => place[key] !== undefined,
): PlaceMistake[] {
  const entry = KINDS[kind]
  const own = entry.findMistake?.(place)
  return [...findUseless(kind, entry, isKnown), ...findMissing(kind, entry, isKnown), ...(own === undefined ? [] : [own])]
}

function findUseless(kind: string, { needs, takes }: IdentityKind, isKnown: (key: PlaceKey) => boolean): PlaceMistake[] {
  const useful = new Set([...needs.flat(), ...takes])
  const useless = PLACE_KEYS.filter((key) => isKnown(key) && !useful.has(key))
  return useless.map((key) => ({
    key,
    reason: `has no use with \`kind: ${kind}\``,
    fix: `Remove it; this kind reads ${listWords([...useful])}.`,
  }))
}

function findMissing(kind: string, { needs, takes }: IdentityKind, isKnown: (key: PlaceKey) => boolean): PlaceMistake[] {
  const complete = needs.filter((keys) => keys.every(isKnown))
  if (complete.length > 0) return findSurplus(complete, takes)
  // The alternative that was begun is the one that was meant.
  const meant = needs.find((keys) => keys.some(isKnown)) ?? needs[0] ?? []
  const others = needs.filter((keys) => keys !== meant).map((keys) => keys.map(quote).join(' and '))
  const instead = others.length === 0 ? '' : ` Instead of ${meant.map(quote).join(' and ')}, ${others.join(' or ')} will do.`
  return meant
    .filter((key) => !isKnown(key))
    .map((key) => ({ key, reason: `is missing; \`kind: ${kind}\` needs it`, fix: `Add it.${instead}` }))
}

/** Two ways to say the same could say two things. */
function findSurplus(complete: readonly (readonly PlaceKey[])[], takes: readonly PlaceKey[]): PlaceMistake[] {
  const [first = [], ...rest] = complete
  const surplus = rest.flat().filter((key) => !takes.includes(key))
  return surplus.map((key) => ({
    key,
    reason: `says the same as ${listWords(first)}`,
    fix: 'Remove one of the two.',
  }))
}

function listWords(keys: readonly PlaceKey[]): string {
  return keys.length === 0 ? 'none of these keys' : keys.map(quote).join(', ')
}

function quote(key: string): string {
  return `\`${key}\``
}
