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
import type { Decision, RequestFacts } from '../core/decision.ts'
import type { Operation } from '../core/operation.ts'
import type { Principal } from '../core/principal.ts'
import { createArgumentFinder, listArguments } from '../mcp/call-arguments.ts'
import { parseMessages } from '../mcp/messages.ts'
import { createPolicy as compilePolicy } from '../policy/policy.ts'

// biome-ignore lint/performance/noBarrelFile: an entry of the package, which nothing in it imports
export { ConfigError } from '../config/problem/problem.ts'
export { type ErrorCode, findErrorEntry, ProxyError } from '../core/errors.ts'
export type { Decision, Operation, PolicyInput, Principal }

/** What expressions (`who`, `require`) may look at besides principal and operations. A text that is left out is empty. */
export interface PolicyRequest {
  /** The body that the operations were read from, for expressions about arguments. */
  readonly body?: string
  /** `MCP-Protocol-Version` of the request. */
  readonly revision?: string
  /** Address of the client. */
  readonly address?: string
  /** Name of the server. */
  readonly server?: string
}

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
   * @param request - what expressions may look at besides
   * @throws TypeError where an expression looks at arguments and there is no body
   * @returns the decision; a refusal for want of scopes names all that the request needs (`scopes`) and those that are `missing`
   */
  decide(principal: Principal, operations: readonly Operation[], request?: PolicyRequest): Decision
}

/**
 * Creates a policy.
 *
 * @param policy - written as for a server in the configuration file (docs/configuration.md)
 * @throws ConfigError with every mistake
 */
export function createPolicy({ path = '/mcp', ...policy }: PolicyInput): Policy {
  const { part, notices } = loadPolicy({ path, ...policy }, { env: {}, directory: process.cwd() })
  const engine = compilePolicy(part)
  return {
    notices,
    knownScopes: engine.knownScopes,
    decide: (principal, operations, request = {}) =>
      engine.decide(principal, { path, operations, facts: createFacts(operations, request) }),
  }
}

function createFacts(operations: readonly Operation[], request: PolicyRequest): RequestFacts {
  const { body, revision = '', address = '', server = '' } = request
  const readBody = (): string => {
    if (body === undefined) throw new TypeError('a rule looks at arguments: pass the body to `decide`')
    return body
  }
  const readArguments = createArgumentFinder(operations, () => listArguments(readBody(), LIMITS))
  return { server, revision, address, now: Date.now, readArguments }
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
