import type { Clock } from '../core/clock.ts'
import { createReadingThread, type Sender } from '../core/reading-thread.ts'
import type { MessageLimits } from '../mcp/messages.ts'
import type { BodyOutcome } from './body-outcome.ts'
import type { BodyQuestion } from './body-worker.ts'

/** The worst body of this length takes some milliseconds. Longer ones would keep all other requests waiting. */
const LONG_BODY_BYTES = 64 * 1024
const ENTRY = new URL(import.meta.url.endsWith('.ts') ? './body-worker.ts' : './body-worker.js', import.meta.url)

export function isLong(body: Buffer): boolean {
  return body.length > LONG_BODY_BYTES
}

/** Reads long bodies in a thread of its own, one at a time: how they are read is the same. */
export interface LongBodies {
  /**
   * @throws ProxyError `client_gone`
   * @throws Error where the thread fails, which a request cannot bring about
   */
  read(body: Buffer, limits: MessageLimits, sender: Sender): Promise<BodyOutcome>
}

/** @param entry - what the thread runs */
export function createLongBodies(clock?: Clock, entry: URL = ENTRY): LongBodies {
  const thread = createReadingThread<BodyQuestion, BodyOutcome>(entry, 'the thread for long bodies', clock)
  return {
    read: (body, { jsonDepth, batchMembers }, sender) =>
      thread.ask(() => {
        const bytes = new Uint8Array(body)
        return { question: { bytes, limits: { jsonDepth, batchMembers } }, transferred: [bytes.buffer] }
      }, sender),
  }
}

/** Of the process, as its event loop is. */
export const longBodies: LongBodies = createLongBodies()
