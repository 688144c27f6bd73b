import type { Operation } from '../../core/operation.ts'
import { createReadingThread, type ReadingThread, type Sender } from '../../core/reading-thread.ts'
import type { CompiledExpression, Outcome } from './expression.ts'
import type { AskedOf, ExpressionQuestions } from './expression-questions.ts'

const ENTRY = new URL(import.meta.url.endsWith('.ts') ? './argument-worker.ts' : './argument-worker.js', import.meta.url)

/** Evaluates expressions, in their order. */
export type ArgumentThread = ReadingThread<ExpressionQuestions, readonly Outcome[]>

interface Wanted {
  readonly expression: CompiledExpression
  readonly operation: Operation
  readonly isShadow: boolean
}

/**
 * Expressions of one decision that look at arguments which are too long to be read here: what they come to is found out in a thread, all at once. Until then it
 * is unknown, and the decision is none.
 */
export class ApartOutcomes {
  readonly #thread: ArgumentThread
  readonly #found = new Map<Operation, Map<CompiledExpression, Outcome>[]>()
  #wanted: Wanted[] = []

  constructor(thread: ArgumentThread = argumentThread) {
    this.#thread = thread
  }

  /** Whether something is wanted that is not known yet. */
  get isIncomplete(): boolean {
    return this.#wanted.length > 0
  }

  find(expression: CompiledExpression, operation: Operation, isShadow: boolean): Outcome {
    const known = this.#tableOf(operation, isShadow).get(expression)
    if (known !== undefined) return known
    this.#wanted.push({ expression, operation, isShadow })
    return NOT_KNOWN_YET
  }

  /**
   * Has all that is wanted evaluated.
   *
   * @param readArguments - as of `RequestFacts`
   * @throws as `ReadingThread`
   */
  async settle(about: AskedOf, readArguments: (operation: Operation) => string | undefined, sender: Sender): Promise<void> {
    const wanted = this.#wanted
    const outcomes = await this.#thread.ask(() => ({ question: formatQuestions(about, wanted, readArguments) }), sender)
    this.#wanted = []
    wanted.forEach(({ expression, operation, isShadow }, index) => {
      const outcome = outcomes[index]
      // Asked again, it would be asked for ever.
      if (outcome === undefined) throw new Error('the thread for long arguments has left an expression out')
      this.#tableOf(operation, isShadow).set(expression, outcome)
    })
  }

  #tableOf(operation: Operation, isShadow: boolean): Map<CompiledExpression, Outcome> {
    const tables = this.#found.get(operation) ?? [new Map(), new Map()]
    this.#found.set(operation, tables)
    return tables[isShadow ? 1 : 0] as Map<CompiledExpression, Outcome>
  }
}

const NOT_KNOWN_YET: Outcome = Object.freeze({ value: 'unknown' })

/** Of the process, as its event loop is. */
const argumentThread: ArgumentThread = createReadingThread(ENTRY, 'the thread for long arguments')

function formatQuestions(
  about: AskedOf,
  wanted: readonly Wanted[],
  readArguments: (operation: Operation) => string | undefined,
): ExpressionQuestions {
  const places = new Map<Operation, number>()
  const expressions = wanted.map(({ expression, operation, isShadow }) => {
    const at = places.get(operation) ?? places.size
    places.set(operation, at)
    return { source: expression.source, at, isShadow }
  })
  const operations = [...places.keys()].map((operation) => ({ operation, args: readArguments(operation) }))
  return { about, operations, expressions }
}
