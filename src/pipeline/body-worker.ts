import { answerInThread } from '../core/reading-thread.ts'
import type { MessageLimits } from '../mcp/messages.ts'
import { readOutcome } from './body-outcome.ts'

/** The thread that reads long bodies, one after the other: see `long-bodies.ts`. */

export interface BodyQuestion {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly limits: MessageLimits
}

answerInThread(({ bytes, limits }: BodyQuestion) => readOutcome(Buffer.from(bytes.buffer), limits))
