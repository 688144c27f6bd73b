import type { Call } from '../core/call.ts'
import { compileNamePattern } from '../core/name-pattern.ts'
import { isPlainNotification, type Operation } from '../core/operation.ts'
import type { RateLimitPlan } from '../core/plan/rate-limit-plan.ts'

/** What of a call counts for a limit. */
export interface Count {
  /** Undefined where tools are not counted apart. */
  readonly tool: string | undefined
  readonly operations: number
  /** Those of them that the MCP server works on for as long as their answer takes. */
  readonly calls: number
}

/**
 * Counts what a limit is about, each tool apart where it says so. Nothing where the limit does not apply.
 *
 * @param tellTool - tells under which name a tool is counted, where tools are counted apart
 */
export function countOperations(
  { per, tools }: RateLimitPlan,
  tellTool: (call: Call, tool: string) => string,
): (call: Call) => readonly Count[] {
  const isApart = per.includes('tool')
  const patterns = tools?.map(compileNamePattern)
  if (patterns === undefined && !isApart) return countAll
  const fits = (tool: string): boolean => patterns === undefined || patterns.some((match) => match(tool))
  return (call) => countTools(call.operations, fits, isApart ? (tool) => tellTool(call, tool) : () => undefined)
}

/** Requests without operations (GET, DELETE, answers to the server's requests) count as one: each of them reaches the MCP server, too. */
function countAll({ operations }: Call): readonly Count[] {
  const counted = operations.filter(({ kind }) => kind !== 'response')
  return [{ tool: undefined, operations: Math.max(1, counted.length), calls: countCalls(counted) }]
}

function countTools(
  operations: readonly Operation[],
  fits: (tool: string) => boolean,
  tellName: (tool: string) => string | undefined,
): readonly Count[] {
  const byTool = new Map<string | undefined, Operation[]>()
  for (const operation of operations) {
    if (operation.method !== 'tools/call' || operation.target === undefined || !fits(operation.target)) continue
    const tool = tellName(operation.target)
    const counted = byTool.get(tool)
    if (counted === undefined) byTool.set(tool, [operation])
    else counted.push(operation)
  }
  return [...byTool].map(([tool, counted]) => ({ tool, operations: counted.length, calls: countCalls(counted) }))
}

function countCalls(operations: readonly Operation[]): number {
  return operations.filter(isCall).length
}

/** A subscription has a place among the streams, whatever comes with it. */
function isCall(operation: Operation): boolean {
  return operation.kind !== 'response' && !isPlainNotification(operation) && operation.method !== 'subscriptions/listen'
}
