import type { DelegationPlan } from './plan/delegation-plan.ts'
import type { OwnAccountPlan } from './plan/own-account-plan.ts'
import type { Principal } from './principal.ts'

/** Who makes a call, and the access token that it showed. */
export interface Caller {
  readonly principal: Principal
  readonly token: string
}

/**
 * Finds the bearer token that an upstream gets for a caller.
 *
 * @throws ProxyError `token_invalid` when the caller has to sign in again, `upstream_token_refused`, `upstream_token_misconfigured`,
 *   `upstream_token_unavailable`, `identity_provider_unavailable`, `account_required`
 */
export type FindCredential = (caller: Caller) => Promise<string>

/** What an upstream gets with each call to act for the caller, as the configuration says it. */
export type UpstreamCredentialPlan =
  /** Nothing of the caller: only the headers that are configured for the upstream, if there are any. */
  | { readonly kind: 'none' }
  /** The access token that the caller presented. A named opt-in. */
  | { readonly kind: 'access_token' }
  /** The caller's own access token of the identity provider. */
  | { readonly kind: 'identity_provider' }
  /** A token that an authorization server issues for this MCP server. */
  | { readonly kind: 'delegated'; readonly delegation: DelegationPlan }
  /** A token for the user's own account at the MCP server, which the user connects once. */
  | { readonly kind: 'own_account'; readonly account: OwnAccountPlan }

/** The same, with what finds the credential. The pipeline adds it to calls that are permitted (`pipeline/add-credential.ts`). */
export type UpstreamCredential =
  | { readonly kind: 'none' }
  | { readonly kind: 'access_token' }
  | { readonly kind: 'identity_provider'; readonly find: FindCredential }
  | {
      readonly kind: 'delegated'
      /** Whether it is the same for all callers, so that nothing of them is needed. */
      readonly isShared: boolean
      readonly find: FindCredential
      /** Has the next call fetch a new token: the MCP server has refused this one. */
      readonly forget: (caller: Caller) => void
    }
  | OwnAccountCredential

/** What finds the token for a user's own account at the MCP server. */
export interface OwnAccountCredential {
  readonly kind: 'own_account'
  readonly find: FindCredential
  /** The MCP server has answered 401 to this token. */
  readonly noteRefusal: (principal: Principal, token: string) => void
  /** Where the user connects an account, with these scopes beside the usual ones. */
  readonly formatLink: (principal: Principal, scopes: readonly string[]) => string
}
