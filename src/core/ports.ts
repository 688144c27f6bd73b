import type { Call } from './call.ts'
import type { Operation } from './operation.ts'
import type { Principal } from './principal.ts'
import type { Reply } from './reply.ts'

/** Verifies access tokens. */
export interface TokenVerifier {
  /**
   * @param token - the token's exact characters
   * @param asker - network of the client that showed it: when many have to be asked about, networks take turns
   * @returns the principal; synchronously when the token was verified before
   * @throws ProxyError `token_*` when the token is unusable, `issuer_unavailable` when that cannot be found out
   */
  verify(token: string, asker?: string): Principal | Promise<Principal>
  /**
   * The principal of what was verified before and is still accepted as it stands; `undefined` for everything else. Left out by verifiers
   * that ask about a token anew each time.
   *
   * @param credentials - any characters, not yet known to be those of a token
   */
  recall?(credentials: string): Principal | undefined
}

/** The outcome of policy. Only `permit` lets a call through; compare with it, never with its opposite. */
export type Decision =
  | { readonly effect: 'permit' }
  | {
      readonly effect: 'deny'
      /** Every scope that the call needs, when holding them would permit it. */
      readonly scopes?: readonly string[]
      /** Those of them that the principal lacks. */
      readonly missing?: readonly string[]
      /** Where it isn't known what the call asks for, so that no scopes would help. */
      readonly code?: 'resource_uri_ambiguous'
      /** Why, for the log. */
      readonly reason: string
    }

/** What is decided on: the whole request, since all its operations must pass together. */
export interface PolicyQuestion {
  readonly path: string
  readonly operations: readonly Operation[]
}

/** Decides whether a principal may do what a request asks for. */
export interface PolicyEngine {
  /** Pure and synchronous. A batch is permitted only when every operation in it is. */
  decide(principal: Principal, question: PolicyQuestion): Decision
}

/** An MCP server behind us. */
export interface Upstream {
  /** Sends a permitted call and writes the answer into `reply`. Failures go to `reply.fail`; never throws. */
  send(call: Call, reply: Reply): void
  /** Lets running calls finish until `deadline` (milliseconds from now), then ends everything. */
  close(deadline: number): Promise<void>
}
