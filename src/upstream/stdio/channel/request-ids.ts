import { randomBytes } from 'node:crypto'
import { BoundedMap } from '../../../core/bounded-map.ts'
import { type ClientMessage, metaOf } from '../wire/client-messages.ts'
import type { RequestNames } from './pending-requests.ts'

const MAX_CANCELLED = 1000

/** Chooses the names under which a process knows requests. No two requests that may still be answered have the same. */
export interface IdSource {
  choose(message: ClientMessage, isUsed: (names: Partial<RequestNames>) => boolean): RequestNames
  /** Ids of cancelled requests whose answers may still come; undefined where no id is used again. */
  readonly cancelled: BoundedMap<string, true> | undefined
}

/** Ids that are never reused, for a process with many clients: not even a late answer can reach the wrong one. */
export function createOwnIds(): IdSource {
  let last = 0
  return {
    choose(message) {
      const id = String(++last)
      return { id, progressToken: readProgressToken(message) && id }
    },
    cancelled: undefined,
  }
}

/**
 * The client's own ids, for a process with one client. An id that is in use is replaced: some clients use one id for several requests,
 * though they must not (2025-11-25, basic/index, Requests).
 */
export function createKeptIds(): IdSource {
  const prefix = randomBytes(9).toString('base64url')
  const cancelled = new BoundedMap<string, true>(MAX_CANCELLED)
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
    cancelled,
  }
}

/** The names that the client gave to a request. */
export function readNames(message: ClientMessage): RequestNames {
  return { id: message.idKey, progressToken: readProgressToken(message) }
}

/** In JSON. */
function readProgressToken(message: ClientMessage): string | undefined {
  const token = metaOf(message).progressToken
  return token === undefined ? undefined : JSON.stringify(token)
}
