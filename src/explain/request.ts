import type { PolicyQuestion } from '../core/decision.ts'
import { checkStrictJson, outlineJson } from '../core/json/strict-json.ts'
import type { Plan } from '../core/plan/plan.ts'
import type { EndpointPlan, ServerPlan } from '../core/plan/server-plan.ts'
import { createArgumentFinder, listArguments } from '../mcp/call-arguments.ts'
import { parseMessages } from '../mcp/messages.ts'

/** What a request names: a tool, a prompt, a resource, or a method by itself. */
export type OperationKind = 'tool' | 'prompt' | 'resource' | 'method'

/** An operation as it is written on the command line or in a case. */
export interface NamedOperation {
  readonly kind: OperationKind
  readonly name: string
  /** JSON text: arguments of a tool or prompt, or the parameters of a method. */
  readonly argsText: string | undefined
}

/** What surrounds a request that is not sent. */
export interface Circumstances {
  readonly path: string
  readonly revision: string
  readonly address: string
  readonly now: () => number
}

/** Nesting that no proxy permits to be exceeded. */
const MAX_DEPTH = 128

/** The endpoint that operations are sent to. With HTTP+SSE alone, that is the one for messages. */
export function findEndpoint({ endpoints }: ServerPlan): EndpointPlan {
  const found = endpoints.find(({ kind }) => kind === 'streamable_http') ?? endpoints.find(({ kind }) => kind === 'messages')
  return found ?? (endpoints[0] as EndpointPlan)
}

/**
 * The question that the pipeline would ask about a request. The message is written and read as one that a client sends, so that numbers
 * stay exact and what the proxy refuses to read is refused here, too.
 *
 * @throws ProxyError what reading the message throws
 */
export function createQuestion(
  operation: NamedOperation,
  { name: server }: ServerPlan,
  { path, ...facts }: Circumstances,
  { jsonDepth, batchMembers }: Plan['limits'],
): PolicyQuestion {
  const text = formatMessage(operation)
  const limits = { jsonDepth, batchMembers }
  const { operations } = parseMessages(text, limits)
  return {
    path,
    operations,
    facts: { server, ...facts, readArguments: createArgumentFinder(operations, () => listArguments(text, limits)) },
  }
}

/**
 * Checks that a text is a JSON object which cannot be read in two ways.
 *
 * @throws StrictJsonError, which repeats nothing of the text
 * @returns whether it is an object
 */
export function isJsonObject(text: string): boolean {
  checkStrictJson(text, MAX_DEPTH)
  return outlineJson(text, MAX_DEPTH, 0).kind === 'object'
}

function formatMessage({ kind, name, argsText }: NamedOperation): string {
  const quoted = JSON.stringify(name)
  switch (kind) {
    case 'tool':
      return formatRequest('tools/call', `{"name":${quoted}${argsText === undefined ? '' : `,"arguments":${argsText}`}}`)
    case 'prompt':
      return formatRequest('prompts/get', `{"name":${quoted}${argsText === undefined ? '' : `,"arguments":${argsText}`}}`)
    case 'resource':
      return formatRequest('resources/read', `{"uri":${quoted}}`)
    case 'method':
      return formatRequest(name, argsText)
  }
}

function formatRequest(method: string, params: string | undefined): string {
  const id = method.startsWith('notifications/') ? '' : '"id":1,'
  return `{"jsonrpc":"2.0",${id}"method":${JSON.stringify(method)}${params === undefined ? '' : `,"params":${params}`}}`
}
