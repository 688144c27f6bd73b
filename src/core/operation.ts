/** What one JSON-RPC message asks for. */
export interface Operation {
  /** `response` is a client's answer to a request of the server (revisions up to 2025-11-25). */
  readonly kind: 'request' | 'notification' | 'response'
  /** The method; for a response the empty string. */
  readonly method: string
  /** What `target` names; undefined for methods without a target. Completions count as the prompt or resource they are for. */
  readonly targetKind: 'tool' | 'prompt' | 'resource' | undefined
  /** Tool name, prompt name or resource URI where the method has one. */
  readonly target: string | undefined
  /** The request's id as it stood in the body, in JSON (`1`, `"a"`); a refusal repeats it. */
  readonly id: string | undefined
  /** For the completion of a resource template: what its variables stand for. Left out elsewhere. */
  readonly completing?: Completing
}

/** What a client has typed so far (`argument` of `completion/complete`), and what it chose before (`context`). */
export interface Completing {
  readonly name: string
  readonly value: string
  /** Values of the other variables. */
  readonly others: ReadonlyMap<string, string>
}

/** Where a value stands in the text of a body, in UTF-16 code units. */
export interface TextSpan {
  readonly start: number
  /** Index behind the last. */
  readonly end: number
}

/** Methods whose `arguments` policy may look at: calls of tools and uses of prompts. */
export const METHODS_WITH_ARGUMENTS: ReadonlySet<string> = new Set(['tools/call', 'prompts/get'])

/** Notifications ask for nothing, as long as they are ones: some servers carry out a call without an id like any other. */
export function isPlainNotification({ kind, method }: Operation): boolean {
  return kind === 'notification' && method.startsWith('notifications/')
}
