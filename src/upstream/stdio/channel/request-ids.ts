import { randomBytes } from 'node:crypto'
import { BoundedMap } from '../../../core/bounded-map.ts'
import { type ClientMessage, metaOf } from '../wire/client-messages.ts'

/** Cancelled requests that are remembered. */
const mostCancelled = 1000

/** What a child knows a request by, in JSON. */
export interface RequestIds {
  readonly id: string
  /** Undefined where the client wants no progress. */
  readonly progressToken: string | undefined
}

/** Gives requests to a child their ids. No two that may be answered have the same. */
export interface IdSource {
  choose(message: ClientMessage, isUsed: (ids: Partial<RequestIds>) => boolean): RequestIds
  /** An answer to it may come all the same. */
  cancelled(id: string): void
  isCancelled(id: string): boolean
  /** No answer will come to it. */
  answered(id: string): void
}

/** Ids that are never used twice, for a child of many clients: not even a late answer can reach anybody but the one who asked. */
export function createOwnIds(): IdSource {
  let last = 0
  return {
    choose(message) {
      const id = String(++last)
      return { id, progressToken: readProgressToken(message) && id }
    },
    cancelled: () => undefined,
    isCancelled: () => false,
    answered: () => undefined,
  }
}

/**
 * The client's own ids, for a child that it has to itself; and others for requests whose id is in use: some clients use one for several
 * requests, though they must not (2025-11-25, basic/index, Requests).
 */
export function createKeptIds(): IdSource {
  const prefix = randomBytes(9).toString('base64url')
  const cancelled = new BoundedMap<string, true>(mostCancelled)
  let last = 0
  const createId = (): string => JSON.stringify(`${prefix}-${++last}`)
  return {
    choose(message, isUsed) {
      const { idKey } = message
      const progressToken = readProgressToken(message)
      return {
        id: isUsed({ id: idKey }) || cancelled.has(idKey) ? createId() : idKey,
        progressToken: progressToken !== undefined && isUsed({ progressToken }) ? createId() : progressToken,
      }
    },
    cancelled: (id) => cancelled.set(id, true),
    isCancelled: (id) => cancelled.has(id),
    answered: (id) => cancelled.delete(id),
  }
}

/** In JSON. */
export function readProgressToken(message: ClientMessage): string | undefined {
  const token = metaOf(message).progressToken
  return token === undefined ? undefined : JSON.stringify(token)
}
