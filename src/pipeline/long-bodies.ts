import { Worker } from 'node:worker_threads'
import { type CancelTimer, type Clock, systemClock } from '../core/clock.ts'
import type { MessageLimits } from '../mcp/messages.ts'
import type { BodyOutcome } from './body-outcome.ts'
import type { BodyAnswer, BodyQuestion } from './body-worker.ts'

/** The worst body of this length takes some milliseconds. Longer ones would keep all other requests waiting. */
const LONG_BODY_BYTES = 64 * 1024
/** A thread takes some ten MiB. */
const IDLE_MS = 30_000
const ENTRY = new URL(import.meta.url.endsWith('.ts') ? './body-worker.ts' : './body-worker.js', import.meta.url)

export function isLong(body: Buffer): boolean {
  return body.length > LONG_BODY_BYTES
}

/** Reads long bodies in a thread of its own, in the order of their coming: how they are read is the same. */
export interface LongBodies {
  /** @throws Error where the thread fails, which a request cannot bring about */
  read(body: Buffer, limits: MessageLimits): Promise<BodyOutcome>
}

interface Settlement {
  resolve(outcome: BodyOutcome): void
  reject(error: unknown): void
}

/**
 * @param entry - what the thread runs
 * @returns what starts its thread with the first body, and ends it when there was none for half a minute
 */
export function createLongBodies(clock: Clock = systemClock, entry: URL = ENTRY): LongBodies {
  const waiting = new Map<number, Settlement>()
  let worker: Worker | undefined
  let last = 0
  let cancelEnd: CancelTimer = () => undefined
  const settle = ({ id, outcome, bug }: BodyAnswer): void => {
    const asked = waiting.get(id)
    waiting.delete(id)
    if (waiting.size === 0) cancelEnd = clock.after(IDLE_MS, end)
    if (outcome !== undefined) asked?.resolve(outcome)
    else asked?.reject(bug)
  }
  const end = (): void => {
    const ended = worker
    worker = undefined
    void ended?.terminate()
  }
  const open = (): Worker => {
    const opened = startWorker(entry)
    opened.on('message', settle)
    const fail = (error: unknown): void => {
      if (worker !== opened) return
      worker = undefined
      for (const asked of waiting.values()) asked.reject(error)
      waiting.clear()
    }
    opened.on('error', fail).on('exit', (code) => fail(new Error(`the thread for long bodies ended with ${code}`)))
    return opened
  }
  return {
    read(body, limits) {
      cancelEnd()
      worker ??= open()
      const bytes = new Uint8Array(body)
      const { jsonDepth, batchMembers } = limits
      const question: BodyQuestion = { id: ++last, bytes, limits: { jsonDepth, batchMembers } }
      return new Promise((resolve, reject) => {
        waiting.set(question.id, { resolve, reject })
        worker?.postMessage(question, [bytes.buffer])
      })
    },
  }
}

/** It sees no secrets of the environment, and does not keep the process alive. */
function startWorker(entry: URL): Worker {
  const worker = new Worker(entry, { env: {}, argv: [], execArgv: [] })
  worker.unref()
  return worker
}

/** Of the process, as its event loop is. */
export const longBodies: LongBodies = createLongBodies()
