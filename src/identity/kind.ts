import type { PlainOAuthPlan } from '../core/plan/identity-provider-plan.ts'
import type { ClaimCondition } from '../core/plan/issuer-plan.ts'

/** Keys of the configuration that say where an identity provider is, and which of its tenants is meant. */
export const PLACE_KEYS = [
  'issuer',
  'oauth',
  'base_url',
  'domain',
  'tenant',
  'realm',
  'organization',
  'region',
  'user_pool',
  'authorization_server',
  'audience',
] as const

export type PlaceKey = (typeof PLACE_KEYS)[number]

/** What a configuration says of where the identity provider is. All texts have been checked to be of their form. */
export type Place = { readonly [Key in Exclude<PlaceKey, 'oauth'>]?: string | undefined } & {
  /** Endpoints, for providers that speak OAuth without OpenID Connect. */
  readonly oauth?: PlainOAuthPlan | undefined
  /** Scopes, where the configuration lists them itself. */
  readonly scopes?: readonly string[] | undefined
}

/** What is wrong with a key of the place, and what to do about it. */
export interface PlaceMistake {
  readonly key: PlaceKey
  readonly reason: string
  readonly fix: string
}

/** What a kind makes of a place. What the configuration says itself goes before all of it. */
export interface KindDescription {
  /** What users know it by. */
  readonly name: string
  /** Issuer identifier, letter by letter. */
  readonly issuer: string
  /** Endpoints of a provider that has no OpenID Connect metadata. */
  readonly oauth?: PlainOAuthPlan
  readonly scopes: readonly string[]
  /** Parameters that go to the authorization endpoint besides those of the protocol. */
  readonly authorizationParameters?: Readonly<Record<string, string>>
  readonly clientAuthentication: 'client_secret_basic' | 'client_secret_post'
  /** Whether the userinfo endpoint is asked. Default: yes. */
  readonly userinfo?: boolean
  /** The `prompt` that lets the user choose another account, where its metadata does not say. */
  readonly accountPrompt?: string
  /** Who has an account there, or can create one without approval, unless the configured place narrows it. */
  readonly openTo?: string | undefined
  /** Who may sign in, where the place says so. */
  readonly allow?: readonly ClaimCondition[]
  /** What the proxy does for this kind that an operator would not guess, a sentence or two each. */
  readonly notes: readonly string[]
}

/** How the users' groups arrive. */
export interface GroupsDescription {
  /** The claim that holds them; undefined where none does unless the configuration names one. */
  readonly claim: string | undefined
  /** The scope that brings them. */
  readonly scope?: string
  /** What has to be set up there before they arrive, in a sentence or two for the operator. */
  readonly setup?: string
}

/** What is special to a kind of identity provider. */
export interface IdentityKind {
  readonly groups: GroupsDescription
  /** Alternatives: all keys of one of them are needed. */
  readonly needs: readonly (readonly PlaceKey[])[]
  /** Keys that may be written besides. */
  readonly takes: readonly PlaceKey[]
  /** Finds what is wrong with the place beyond keys that are missing or have no use. */
  readonly findMistake?: (place: Place) => PlaceMistake | undefined
  /** Makes of a place without mistakes what the broker has to know. */
  readonly describe: (place: Place) => KindDescription
}

/** A URL without its final slash. */
export function cutFinalSlash(url: string): string {
  return url.replace(/(?<!\/)\/+$/, '')
}
