import { parentPort, type Transferable, Worker } from 'node:worker_threads'
import { type CancelTimer, type Clock, systemClock } from './clock.ts'
import { ProxyError } from './errors.ts'
import { createFairLimiter } from './fair-limiter.ts'

/** A thread takes some ten MiB. */
const IDLE_MS = 30_000
/** Longer than the longest body that is accepted takes on a busy machine: what takes as long will never come. */
const MAX_ANSWER_MS = 60_000
/** How much waits is bounded by the room for bodies: each keeps its own until it was read. */
const MAX_WAITING = Number.POSITIVE_INFINITY

/** Whose body it is. */
export interface Sender {
  /** Users take turns. */
  readonly user: string
  /** Whether the client has left: then its body is not read when its turn comes. */
  hasLeft(): boolean
}

/** Does in a thread of its own, one thing at a time, what would keep all other requests waiting. */
export interface ReadingThread<Question, Answer> {
  /**
   * @param prepare - called when its turn comes
   * @throws ProxyError `client_gone`
   * @throws Error where the thread fails, which a request cannot bring about
   */
  ask(prepare: () => PreparedQuestion<Question>, sender: Sender): Promise<Answer>
}

export interface PreparedQuestion<Question> {
  readonly question: Question
  /** What the thread gets without a copy. */
  readonly transferred?: readonly Transferable[]
}

/** What comes back from the thread. */
interface ThreadAnswer<Answer> {
  readonly outcome?: Answer
  /** What went wrong where nothing should. */
  readonly bug?: unknown
}

interface Settlement<Answer> {
  resolve(outcome: Answer): void
  reject(error: unknown): void
}

/**
 * @param entry - what the thread runs; it calls `answerInThread`
 * @param name - for the error where it fails
 * @returns what starts its thread with the first question, and ends it when there was none for half a minute
 */
export function createReadingThread<Question, Answer>(
  entry: URL,
  name: string,
  clock: Clock = systemClock,
): ReadingThread<Question, Answer> {
  const limiter = createFairLimiter(1, MAX_WAITING)
  let worker: Worker | undefined
  let asked: Settlement<Answer> | undefined
  let cancelEnd: CancelTimer = () => undefined
  let cancelLate: CancelTimer = () => undefined
  const takeAsked = (): Settlement<Answer> | undefined => {
    const taken = asked
    asked = undefined
    cancelLate()
    return taken
  }
  const settle = ({ outcome, bug }: ThreadAnswer<Answer>): void => {
    cancelEnd = clock.after(IDLE_MS, end)
    if (outcome !== undefined) takeAsked()?.resolve(outcome)
    else takeAsked()?.reject(bug)
  }
  const end = (): void => {
    const ended = worker
    worker = undefined
    void ended?.terminate()
  }
  const giveUp = (error: unknown): void => {
    end()
    takeAsked()?.reject(error)
  }
  const beLate = (): void => giveUp(new Error(`${name} has not answered within ${MAX_ANSWER_MS / 1000} s`))
  const open = (): Worker => {
    const opened = startWorker(entry)
    opened.on('message', (answer: ThreadAnswer<Answer>) => {
      // One that was given up may still send something, which answers no question of now.
      if (worker === opened) settle(answer)
    })
    const fail = (error: unknown): void => {
      if (worker === opened) giveUp(error)
    }
    opened.on('error', fail).on('messageerror', fail)
    opened.on('exit', (code) => fail(new Error(`${name} ended with ${code}`)))
    return opened
  }
  const post = ({ question, transferred = [] }: PreparedQuestion<Question>): Promise<Answer> => {
    cancelEnd()
    worker ??= open()
    return new Promise((resolve, reject) => {
      asked = { resolve, reject }
      cancelLate = clock.after(MAX_ANSWER_MS, beLate)
      worker?.postMessage(question, [...transferred])
    })
  }
  return {
    ask: (prepare, { user, hasLeft }) =>
      limiter.run(async () => {
        if (hasLeft()) throw new ProxyError('client_gone')
        return post(prepare())
      }, user),
  }
}

/** It sees no secrets of the environment, and does not keep the process alive. */
function startWorker(entry: URL): Worker {
  const worker = new Worker(entry, { env: {}, argv: [], execArgv: [] })
  worker.unref()
  return worker
}

/** The thread's side: answers one question after the other. @param answer - throws only what is a bug */
export function answerInThread<Question, Answer>(answer: (question: Question) => Answer): void {
  // An answer that was left out would be waited for.
  parentPort?.on('messageerror', (error) => {
    throw error
  })
  parentPort?.on('message', (question: Question) => {
    parentPort?.postMessage(attempt(() => answer(question)))
  })
}

function attempt<Answer>(answer: () => Answer): ThreadAnswer<Answer> {
  try {
    return { outcome: answer() }
  } catch (bug) {
    return { bug }
  }
}
