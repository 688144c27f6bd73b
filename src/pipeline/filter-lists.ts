import type { ListFilter } from '../core/decision.ts'
import type { MemoryShare } from '../core/held-memory.ts'
import { formatPrincipalKey } from '../core/principal.ts'
import type { Reply } from '../core/reply.ts'
import type { RoutedCall } from '../core/route.ts'
import type { ServerReply } from '../http/server-reply.ts'
import { AnswerFilter, type AnswerFilterOptions } from '../mcp/list-filter/answer-filter.ts'
import { isModernRevision } from '../mcp/revision.ts'
import type { Exchange } from './exchange.ts'
import { LateFilter } from './late-filter.ts'
import { createListFacts } from './request-facts.ts'

/** An answer, and whether it is filtered. */
interface FilteredAnswer {
  /** As it was decided last. */
  readonly call: RoutedCall
  /** Whether it has no end of its own, and other policies may come while it is open. */
  readonly lasts: boolean
  isFiltered: boolean
  /** Filters what has passed unread until now. @returns false where that is not possible */
  filterFromNowOn: () => boolean
}

/** Filters the answer to one call. */
export interface ListFiltering {
  /** Of the call, so that its answer can be read. */
  readonly headers: readonly string[]
  filter(reply: ServerReply): Reply
}

/**
 * What has to be done so that the answer to a call shows its principal only what it may use. The answers to all calls are filtered, whatever
 * they ask for: a list may arrive on any stream. Each list is filtered by what was decided last of the call.
 *
 * @returns undefined where policy has no need of it
 */
export function findListFiltering(exchange: Exchange, answer: FilteredAnswer): ListFiltering | undefined {
  const { headers } = answer.call
  if (createCallFilter(exchange, answer.call) === undefined) return answer.lasts ? prepareFilter(exchange, answer) : undefined
  answer.isFiltered = true
  const options = new CallVisibility(exchange, answer)
  return { headers: withoutEncoding(headers), filter: (reply) => new AnswerFilter(reply, options) }
}

/** What the principal of a call may see, by what was decided last. A class, since every answer of a server may ask for it. */
class CallVisibility implements AnswerFilterOptions {
  readonly #exchange: Exchange
  readonly #answer: FilteredAnswer

  constructor(exchange: Exchange, answer: FilteredAnswer) {
    this.#exchange = exchange
    this.#answer = answer
  }

  get hasCacheScope(): boolean {
    return isModernRevision(this.#answer.call.revision)
  }

  get memory(): MemoryShare {
    const { route, principal } = this.#answer.call
    return this.#exchange.edge.heldMemory.open(route.server, formatPrincipalKey(principal))
  }

  get awaitsMessage(): boolean {
    const { route, operations } = this.#answer.call
    return route.kind === 'streamable_http' && operations.some(({ kind }) => kind === 'request')
  }

  createFilter(): ListFilter {
    return createCallFilter(this.#exchange, this.#answer.call) ?? SHOWS_ALL
  }
}

/** What passes unread until a policy needs it filtered. */
function prepareFilter(exchange: Exchange, answer: FilteredAnswer): ListFiltering {
  return {
    headers: answer.call.headers,
    filter(reply) {
      const late = new LateFilter(reply)
      const filterFromNowOn = (): boolean => late.filterFromNowOn(new CallVisibility(exchange, answer))
      answer.filterFromNowOn = filterFromNowOn
      return late
    },
  }
}

/** @returns undefined where the principal may see all that the server lists */
export function createCallFilter(exchange: Exchange, call: RoutedCall): ListFilter | undefined {
  const { route, principal } = call
  // As for the decision (`authorize.ts`).
  if (principal.assurance === 'signature_only') return undefined
  return route.policy.createListFilter(principal, createListFacts(exchange, call))
}

/** What has come into force since the answer was opened has no need of a filter. */
const SHOWS_ALL: ListFilter = { shows: () => true }

/** Nor a part of the answer: both could not be read here. */
function withoutEncoding(headers: readonly string[]): readonly string[] {
  if (!UNREADABLE.some((name) => headers.includes(name))) return headers
  return headers.filter((_, index) => !UNREADABLE.includes(headers[index - (index % 2)] ?? ''))
}

const UNREADABLE: readonly string[] = ['accept-encoding', 'range', 'if-range']
