import { parentPort } from 'node:worker_threads'
import type { MessageLimits } from '../mcp/messages.ts'
import { type BodyOutcome, readOutcome } from './body-outcome.ts'

/** The thread that reads long bodies, one after the other: see `long-bodies.ts`. */

export interface BodyQuestion {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly limits: MessageLimits
}

export interface BodyAnswer {
  readonly outcome?: BodyOutcome
  /** What went wrong where nothing should. */
  readonly bug?: unknown
}

parentPort?.on('message', ({ bytes, limits }: BodyQuestion) => {
  parentPort?.postMessage(answer(Buffer.from(bytes.buffer), limits))
})

function answer(body: Buffer, limits: MessageLimits): BodyAnswer {
  try {
    return { outcome: readOutcome(body, limits) }
  } catch (bug) {
    return { bug }
  }
}
