import { parentPort } from 'node:worker_threads'
import type { MessageLimits } from '../mcp/messages.ts'
import { type BodyOutcome, readOutcome } from './body-outcome.ts'

/** The thread that reads long bodies, one after the other: see `long-bodies.ts`. */

export interface BodyQuestion {
  readonly id: number
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly limits: MessageLimits
}

export interface BodyAnswer {
  readonly id: number
  readonly outcome?: BodyOutcome
  /** What went wrong where nothing should. */
  readonly bug?: unknown
}

parentPort?.on('message', ({ id, bytes, limits }: BodyQuestion) => {
  parentPort?.postMessage(answer(id, Buffer.from(bytes.buffer), limits))
})

function answer(id: number, body: Buffer, limits: MessageLimits): BodyAnswer {
  try {
    return { id, outcome: readOutcome(body, limits) }
  } catch (bug) {
    return { id, bug }
  }
}
