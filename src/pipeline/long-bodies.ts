import { Worker } from 'node:worker_threads'
import { type CancelTimer, type Clock, systemClock } from '../core/clock.ts'
import { ProxyError } from '../core/errors.ts'
import { createFairLimiter } from '../core/fair-limiter.ts'
import type { MessageLimits } from '../mcp/messages.ts'
import type { BodyOutcome } from './body-outcome.ts'
import type { BodyAnswer, BodyQuestion } from './body-worker.ts'

/** The worst body of this length takes some milliseconds. Longer ones would keep all other requests waiting. */
const LONG_BODY_BYTES = 64 * 1024
/** A thread takes some ten MiB. */
const IDLE_MS = 30_000
/** How many bodies wait is bounded by the room for them: each keeps its own until it was read. */
const MAX_WAITING = Number.POSITIVE_INFINITY
const ENTRY = new URL(import.meta.url.endsWith('.ts') ? './body-worker.ts' : './body-worker.js', import.meta.url)

export function isLong(body: Buffer): boolean {
  return body.length > LONG_BODY_BYTES
}

/** Whose body it is. */
export interface Sender {
  /** Users take turns. */
  readonly user: string
  /** Whether the client has left: then its body is not read when its turn comes. */
  hasLeft(): boolean
}

/** Reads long bodies in a thread of its own, one at a time: how they are read is the same. */
export interface LongBodies {
  /**
   * @throws ProxyError `client_gone`
   * @throws Error where the thread fails, which a request cannot bring about
   */
  read(body: Buffer, limits: MessageLimits, sender: Sender): Promise<BodyOutcome>
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
  const limiter = createFairLimiter(1, MAX_WAITING)
  let worker: Worker | undefined
  let asked: Settlement | undefined
  let cancelEnd: CancelTimer = () => undefined
  const takeAsked = (): Settlement | undefined => {
    const taken = asked
    asked = undefined
    return taken
  }
  const settle = ({ outcome, bug }: BodyAnswer): void => {
    cancelEnd = clock.after(IDLE_MS, end)
    if (outcome !== undefined) takeAsked()?.resolve(outcome)
    else takeAsked()?.reject(bug)
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
      takeAsked()?.reject(error)
    }
    opened.on('error', fail).on('exit', (code) => fail(new Error(`the thread for long bodies ended with ${code}`)))
    return opened
  }
  const ask = (body: Buffer, { jsonDepth, batchMembers }: MessageLimits): Promise<BodyOutcome> => {
    cancelEnd()
    worker ??= open()
    const bytes = new Uint8Array(body)
    const question: BodyQuestion = { bytes, limits: { jsonDepth, batchMembers } }
    return new Promise((resolve, reject) => {
      asked = { resolve, reject }
      worker?.postMessage(question, [bytes.buffer])
    })
  }
  return {
    read: (body, limits, { user, hasLeft }) =>
      limiter.run(async () => {
        if (hasLeft()) throw new ProxyError('client_gone')
        return ask(body, limits)
      }, user),
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
