import type { Call } from './call.ts'
import type { Principal } from './principal.ts'
import type { Reply } from './reply.ts'
import type { UpstreamState } from './upstream-state.ts'
import type { ProcessList, UpstreamUsage } from './upstream-usage.ts'

/** Verifies access tokens. */
export interface TokenVerifier {
  /**
   * @param token - the token's exact characters
   * @param address - of the client that showed it: access keys may be bound to some, and when many tokens have to be asked about, networks
   * take turns
   * @returns the principal; synchronously when the token was verified before
   * @throws ProxyError `token_*` when the token is unusable, `issuer_unavailable` when that cannot be found out
   */
  verify(token: string, address?: string): Principal | Promise<Principal>
  /**
   * The principal of what was verified before and is still accepted as it stands; `undefined` for everything else. Left out by verifiers
   * that ask about a token anew each time.
   *
   * @param credentials - any characters, not yet known to be those of a token
   */
  recall?(credentials: string): Principal | undefined
  /**
   * Asks what is known here, without its issuer, about a principal whose token was verified before. Left out where that is nothing.
   *
   * @throws ProxyError `token_invalid` when its tokens are refused by now
   */
  recheck?(principal: Principal): void
}

/** An MCP server behind us. */
export interface Upstream {
  /** Sends a permitted call and writes the answer into `reply`. Failures go to `reply.fail`; never throws. */
  send(call: Call, reply: Reply): void
  /** Whether it can be reached. Left out where the MCP server is a process of ours. */
  state?(): UpstreamState
  /** Left out where the MCP server is not ours to start: its sessions are its own. */
  usage?(): UpstreamUsage
  listProcesses?(): ProcessList
  /** Lets running calls finish until `deadline` (milliseconds from now), then ends everything. */
  close(deadline: number): Promise<void>
}
