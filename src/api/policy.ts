/**
 * `open-mcp-auth-proxy/policy`: decides by the scopes of an access token what a JSON-RPC request to an MCP server may do.
 *
 * @example
 * import { createPolicy, parseOperations } from 'open-mcp-auth-proxy/policy'
 *
 * const policy = createPolicy({ scopes: ['mcp:tools'], rules: [{ tool: 'delete_*', scopes: ['mcp:admin'] }] })
 * const decision = policy.decide(principal, parseOperations(body))
 * if (decision.effect !== 'permit') refuse(403, decision.scopes)
 */

import { loadPolicy, type PolicyInput } from '../config/load-parts.ts'
import type { Operation } from '../core/operation.ts'
import type { Decision } from '../core/ports.ts'
import type { Principal } from '../core/principal.ts'
import { parseMessages } from '../mcp/messages.ts'
import { createScopePolicy } from '../policy/scope-policy.ts'

// biome-ignore lint/performance/noBarrelFile: an entry of the package, which nothing in it imports
export { ConfigError } from '../config/problem/problem.ts'
export { type ErrorCode, findErrorEntry, ProxyError } from '../core/errors.ts'
export type { Decision, Operation, PolicyInput, Principal }

/** Decides whether a principal may do what a request asks for. */
export interface Policy {
  /** Every scope that the policy can ask for. */
  readonly knownScopes: ReadonlySet<string>
  /** What the operator should know of what was configured: choices that weaken something, and what looks like a slip. One line each. */
  readonly notices: readonly string[]
  /**
   * Decides on a whole request: it is permitted only when every operation in it is. Only the effect `permit` lets it through; compare with
   * that.
   *
   * @param principal - who calls, as a token verifier returns it
   * @param operations - what {@link parseOperations} read from the body; empty for GET and DELETE
   * @returns the decision; a refusal for want of scopes names all that the request needs (`scopes`) and those that are `missing`
   */
  decide(principal: Principal, operations: readonly Operation[]): Decision
}

/**
 * Creates a policy.
 *
 * @param policy - written as for a server in the configuration file (docs/configuration.md)
 * @throws ConfigError with every mistake
 */
export function createPolicy({ path = '/mcp', ...policy }: PolicyInput): Policy {
  const { part, notices } = loadPolicy({ path, ...policy }, { env: {}, directory: process.cwd() })
  const engine = createScopePolicy(part)
  return {
    notices,
    knownScopes: engine.knownScopes,
    decide: (principal, operations) => engine.decide(principal, { path, operations }),
  }
}

/** The same as the limits of the proxy are by default. */
const LIMITS = { jsonDepth: 128, batchMembers: 50 }

/**
 * Reads what the body of a POST request asks for. What different JSON parsers could read differently is refused: repeated members, lone
 * surrogates, look-alikes of the members that decide.
 *
 * @param body - JSON text, decoded from UTF-8 without loss
 * @returns an operation for each JSON-RPC message
 * @throws ProxyError `json_invalid`, `json_ambiguous`, `message_invalid`, `params_invalid`
 */
export function parseOperations(body: string): readonly Operation[] {
  return parseMessages(body, LIMITS).operations
}
