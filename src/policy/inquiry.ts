import type { DecisionStep, RequestFacts } from '../core/decision.ts'
import { METHODS_WITH_ARGUMENTS, type Operation } from '../core/operation.ts'
import type { Principal } from '../core/principal.ts'
import type { ApartOutcomes } from './expression/apart.ts'
import { createArgumentReader } from './expression/arguments.ts'
import type { CompiledExpression, Outcome } from './expression/expression.ts'
import { createWork, type Work } from './work.ts'

/** What an inquiry is about. */
export interface InquiryFacts {
  readonly path: string
  readonly facts: Omit<RequestFacts, 'readArguments'>
  /** Undefined for lists: they are filtered before any arguments are known. */
  readonly readArguments: RequestFacts['readArguments'] | undefined
  /** Where arguments are too long to be read here. */
  readonly apart?: ApartOutcomes
}

type ReadArguments = ReturnType<typeof createArgumentReader>

/** One principal that asks about one request, or about what lists may show it. What is found out on the way is kept, so that it is found out once. */
export class Inquiry {
  readonly principal: Principal
  readonly work: Work
  /** Called for each check; undefined if no explanation is wanted. */
  readonly onStep: ((step: DecisionStep) => void) | undefined
  /** The access entry that opened what was last judged. */
  openedBy: string | undefined
  readonly #about: InquiryFacts
  #shadowWork: Work | undefined
  #readers: Map<Operation, ReadArguments> | undefined
  #answers: Map<object, string | undefined> | undefined

  constructor(principal: Principal, about: InquiryFacts, work: Work, onStep: ((step: DecisionStep) => void) | undefined) {
    this.principal = principal
    this.#about = about
    this.work = work
    this.onStep = onStep
  }

  /** What judging may still cost that is in shadow mode. */
  get shadowWork(): Work {
    this.#shadowWork ??= createWork()
    return this.#shadowWork
  }

  /** Whether something that matters is not known yet, so that there will be another inquiry. */
  get isIncomplete(): boolean {
    return this.#about.apart?.isIncomplete === true
  }

  /** Evaluates an expression. Without an operation it sees none, and no arguments. */
  evaluate(expression: CompiledExpression, operation: Operation | undefined, isShadow: boolean): Outcome {
    const { path, facts, apart } = this.#about
    const hasArguments = operation !== undefined && METHODS_WITH_ARGUMENTS.has(operation.method)
    if (apart !== undefined && hasArguments && expression.readsArguments) return apart.find(expression, operation, isShadow)
    const { server, revision, address } = facts
    return expression.evaluate(
      {
        principal: this.principal,
        operation,
        args: operation && this.#findArguments(operation),
        server,
        request: { revision, path, address },
        now: facts.now(),
      },
      isShadow ? this.shadowWork : this.work,
    )
  }

  /** The answer to a question that does not depend on an operation. */
  remember(about: object, find: () => string | undefined): string | undefined {
    this.#answers ??= new Map()
    if (!this.#answers.has(about)) this.#answers.set(about, find())
    return this.#answers.get(about)
  }

  #findArguments(operation: Operation): ReadArguments | undefined {
    const { readArguments } = this.#about
    if (readArguments === undefined || !METHODS_WITH_ARGUMENTS.has(operation.method)) return undefined
    this.#readers ??= new Map()
    const known = this.#readers.get(operation)
    if (known !== undefined) return known
    let read: ReadArguments | undefined
    const reader: ReadArguments = () => {
      read ??= createArgumentReader(readArguments(operation))
      return read()
    }
    this.#readers.set(operation, reader)
    return reader
  }
}
