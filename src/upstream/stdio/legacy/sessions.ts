import { ProxyError } from '../../../core/errors.ts'
import type { Spare } from '../process/places.ts'
import { formatOwnerKey, type ProcessOwner } from '../process/process-owner.ts'

/** An MCP session over HTTP. */
export interface HttpSession {
  readonly owner: ProcessOwner
  /** The session as one that may end so that another can start; undefined while a request is pending. */
  findSpare(now: number): Spare | undefined
  keepAlive(): void
  end(): void
}

/** The MCP sessions of one transport, by their unguessable id. */
export class Sessions<T extends HttpSession> {
  readonly #byId = new Map<string, T>()
  /** How many sessions each principal has. */
  readonly #counts = new Map<string, number>()

  get size(): number {
    return this.#byId.size
  }

  countOf(principalKey: string): number {
    return this.#counts.get(principalKey) ?? 0
  }

  add(id: string, session: T): void {
    this.#byId.set(id, session)
    this.#counts.set(session.owner.key, this.countOf(session.owner.key) + 1)
  }

  delete(id: string): T | undefined {
    const session = this.#byId.get(id)
    if (!session || !this.#byId.delete(id)) return undefined
    const { key } = session.owner
    const left = this.countOf(key) - 1
    if (left > 0) this.#counts.set(key, left)
    else this.#counts.delete(key)
    return session
  }

  /**
   * A session of a principal. One that belongs to another is unknown, too, and so is one whose process was told something else of the caller.
   *
   * @param cause - why there is none, for the operator
   * @throws ProxyError `mcp_session_unknown`
   */
  find(id: string, owner: ProcessOwner, cause: string): T {
    const session = this.#byId.get(id)
    if (session === undefined || formatOwnerKey(session.owner) !== formatOwnerKey(owner))
      throw new ProxyError('mcp_session_unknown', { cause })
    return session
  }

  list(): T[] {
    return [...this.#byId.values()]
  }

  spares(now: number): Spare[] {
    return this.list().flatMap((session) => session.findSpare(now) ?? [])
  }

  keepAlive(): void {
    for (const session of this.#byId.values()) session.keepAlive()
  }

  close(): void {
    for (const session of this.list()) session.end()
  }
}
