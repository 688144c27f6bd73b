import { type Outline, outlineShallow } from './shallow-outline.ts'

/** Message, and what is in its `params`, `result` or `error`. */
const DEPTH = 2
/** What else is long there, as `arguments` may be, is stepped over: listing a hundred thousand members would keep all other requests waiting. */
export const MESSAGE_DEEPER: ReadonlyMap<string, number> = new Map([
  ['_meta', 1],
  ['notifications', 1],
])

/** Outline of a JSON-RPC message, down to the members of `params`, `result` and `error`, and of `_meta` and `notifications` in them. */
export function outlineMessage(text: string): Outline {
  return outlineShallow(text, DEPTH, MESSAGE_DEEPER)
}

/** The same of each message of a body, which may be a batch. */
export function outlineMessages(text: string): readonly Outline[] {
  const isBatch = text.trimStart().startsWith('[')
  const root = isBatch ? outlineShallow(text, DEPTH + 1, MESSAGE_DEEPER) : outlineMessage(text)
  return root.items ?? [root]
}
