import type { Principal } from './principal.ts'

/**
 * Finds the bearer token that an upstream gets for a principal.
 *
 * @throws ProxyError `token_invalid` when the principal's session with the identity provider is over, `identity_provider_unavailable`
 */
export type FindCredential = (principal: Principal) => Promise<string>

/** What an upstream gets with each call to act for the caller, as the configuration says it. */
export type UpstreamCredentialPlan =
  /** Nothing of the caller: only the headers that are configured for the upstream, if there are any. */
  | { readonly kind: 'none' }
  /** The access token that the caller presented. A named opt-in. */
  | { readonly kind: 'access_token' }
  /** The caller's own access token of the identity provider. */
  | { readonly kind: 'identity_provider' }

/** The same, with what finds the credential. The pipeline adds it to calls that are permitted (`pipeline/add-credential.ts`). */
export type UpstreamCredential =
  | { readonly kind: 'none' }
  | { readonly kind: 'access_token' }
  | { readonly kind: 'identity_provider'; readonly find: FindCredential }
