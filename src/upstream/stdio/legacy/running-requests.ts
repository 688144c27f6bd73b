import type { PendingRequest } from '../channel/pending-request.ts'

/** A request that has not been answered. */
export interface RunningRequest {
  readonly idKey: string
  /** Undefined until the server has it. */
  pending: PendingRequest | undefined
}

/** The requests of a session that run, oldest first. Several may have the same id: some clients give it to all (they must not). */
export class RunningRequests<T extends RunningRequest> {
  readonly #running = new Set<T>()

  get size(): number {
    return this.#running.size
  }

  add(request: T): void {
    this.#running.add(request)
  }

  /** It is answered. */
  delete(request: T): void {
    this.#running.delete(request)
  }

  /** Cancels the newest request of an id: an older one of that id can't be meant by a client that knows of this one. */
  cancelNewest(idKey: string, reason: string): T | undefined {
    const newest = [...this.#running].findLast((request) => request.idKey === idKey)
    if (newest) this.#cancel(newest, reason)
    return newest
  }

  /** Cancels every request that this holds for. */
  cancelWhere(test: (request: T) => boolean, reason: string): void {
    for (const request of [...this.#running]) if (test(request)) this.#cancel(request, reason)
  }

  #cancel(request: T, reason: string): void {
    this.#running.delete(request)
    request.pending?.cancel(reason)
  }
}

/** What a cancellation says. A reason is for people: "an optional reason string that can be logged or displayed". */
export function readCancellation(params: Readonly<Record<string, unknown>>): { idKey: string; reason: string } {
  const { requestId, reason } = params
  const isId = typeof requestId === 'string' || typeof requestId === 'number'
  return {
    idKey: isId ? JSON.stringify(requestId) : '',
    reason: typeof reason === 'string' ? reason : 'the client has cancelled',
  }
}
