import { formatPrincipalKey } from '../core/principal.ts'
import type { Reply } from '../core/reply.ts'
import type { RoutedCall } from '../core/route.ts'
import { type AnswerFilterOptions, createAnswerFilter } from '../mcp/list-filter/answer-filter.ts'
import { isModernRevision } from '../mcp/revision.ts'
import type { Exchange } from './exchange.ts'
import { createListFacts } from './request-facts.ts'

/** Filters the answer to one call. */
export interface ListFiltering {
  /** The call, so that its answer can be read. */
  readonly call: RoutedCall
  filter(reply: Reply): Reply
}

/**
 * What has to be done so that the answer to a call shows its principal only what it may use. The answers to all calls are filtered, whatever
 * they ask for: a list may arrive on any stream.
 *
 * @returns undefined where policy has no need of it
 */
export function findListFiltering(exchange: Exchange, call: RoutedCall): ListFiltering | undefined {
  const { route, principal, revision } = call
  // As for the decision (`authorize.ts`).
  if (principal.assurance === 'signature_only') return undefined
  const facts = createListFacts(exchange, call)
  if (route.policy.createListFilter(principal, facts) === undefined) return undefined
  const options: AnswerFilterOptions = {
    createFilter: () => route.policy.createListFilter(principal, facts) ?? SHOWS_NOTHING,
    hasCacheScope: isModernRevision(revision),
    memory: exchange.edge.heldMemory.open(route.server, formatPrincipalKey(principal)),
    awaitsMessage: route.kind === 'streamable_http' && call.operations.some(({ kind }) => kind === 'request'),
  }
  return { call: { ...call, headers: withoutEncoding(call.headers) }, filter: (reply) => createAnswerFilter(reply, options) }
}

/** Policy was asked before, with the same facts. */
const SHOWS_NOTHING = { shows: () => false }

/** Nor a part of the answer: both could not be read here. */
function withoutEncoding(headers: readonly string[]): string[] {
  return headers.filter((_, index) => !UNREADABLE.includes(headers[index - (index % 2)] ?? ''))
}

const UNREADABLE: readonly string[] = ['accept-encoding', 'range', 'if-range']
