import type { ListedKind } from '../../src/core/decision.ts'
import type { MemoryShare } from '../../src/core/held-memory.ts'
import { createHeldMemory } from '../../src/core/held-memory.ts'
import { applyEdits } from '../../src/core/json/json-edits.ts'
import type { AnswerFilterOptions } from '../../src/mcp/list-filter/answer-filter.ts'
import { AnswerFilter } from '../../src/mcp/list-filter/answer-filter.ts'
import { findHidden, type Visibility } from '../../src/mcp/list-filter/filter-messages.ts'
import { createFakeReply, type FakeReply } from './fake-reply.ts'

/** Hides whatever has `secret` in its name. */
export const hidesSecrets: Visibility & { readonly asked: [ListedKind, string][] } = {
  asked: [],
  createFilter: () => ({
    shows(kind, name) {
      hidesSecrets.asked.push([kind, name])
      return !name.includes('secret')
    },
  }),
  hasCacheScope: false,
}

export const someMemory = (): MemoryShare => createHeldMemory(64 * 1024 * 1024).open('test', 'alice')

/** What is left of messages; undefined where nothing is. */
export function filterText(text: string, visibility: Visibility = hidesSecrets): string | undefined {
  const edits = findHidden(text, visibility)
  return edits && applyEdits(text, edits)
}

/** Sends an answer through a filter, in the given pieces. */
export function filterAnswer(
  pieces: readonly (string | Uint8Array)[],
  {
    status = 200,
    headers = { 'content-type': 'application/json' },
    ...options
  }: Partial<AnswerFilterOptions> & { status?: number; headers?: Record<string, string | string[]> } = {},
): FakeReply {
  const reply = createFakeReply()
  const filter = new AnswerFilter(reply, { ...hidesSecrets, memory: someMemory(), awaitsMessage: true, ...options })
  filter.start(status, { ...headers })
  for (const piece of pieces) if (piece.length > 0) filter.write(Buffer.from(piece))
  filter.end()
  return reply
}

/** Sends an event stream through a filter. */
export function filterStream(pieces: readonly (string | Uint8Array)[], options: Partial<AnswerFilterOptions> = {}): FakeReply {
  return filterAnswer(pieces, { headers: { 'content-type': 'text/event-stream' }, ...options })
}
