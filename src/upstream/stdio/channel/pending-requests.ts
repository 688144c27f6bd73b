import { cancelRequest, type PendingRequest } from './pending-request.ts'

/** The names of a request, in JSON. */
export interface RequestNames {
  readonly id: string
  /** Undefined where no progress is wanted. */
  readonly progressToken?: string | undefined
}

/** Requests without an answer. Several may have the same id: some clients give it to all of them, though they must not. */
export class PendingRequests<T extends RequestNames> {
  readonly #requests = new Set<T>()
  /** Oldest first. */
  readonly #byId = new Map<string, readonly T[]>()
  readonly #byToken = new Map<string, T>()

  get size(): number {
    return this.#requests.size
  }

  add(request: T): void {
    const { id, progressToken } = request
    this.#requests.add(request)
    this.#byId.set(id, [...(this.#byId.get(id) ?? []), request])
    if (progressToken !== undefined) this.#byToken.set(progressToken, request)
  }

  /** @returns false when the request was not here any more: it was answered or cancelled before */
  delete(request: T): boolean {
    if (!this.#requests.delete(request)) return false
    const { id, progressToken } = request
    const others = this.#byId.get(id)?.filter((other) => other !== request) ?? []
    if (others.length > 0) this.#byId.set(id, others)
    else this.#byId.delete(id)
    if (progressToken !== undefined && this.#byToken.get(progressToken) === request) this.#byToken.delete(progressToken)
    return true
  }

  has(request: T): boolean {
    return this.#requests.has(request)
  }

  /** The newest request with an id: a client that knows of it can't mean an older one. */
  findNewest(id: string): T | undefined {
    return this.#byId.get(id)?.at(-1)
  }

  findByToken(progressToken: string): T | undefined {
    return this.#byToken.get(progressToken)
  }

  /** A copy, so that requests can be deleted on the way. */
  list(): T[] {
    return [...this.#requests]
  }
}

/** A request of a client, as its MCP session keeps it. */
export interface ClientRequest extends RequestNames {
  atServer: PendingRequest
}

/** @returns false when there was nothing to cancel any more */
export function cancelPending<T extends ClientRequest>(requests: PendingRequests<T>, request: T, reason: string): boolean {
  if (!requests.delete(request)) return false
  cancelRequest(request.atServer, reason)
  return true
}
