import type { MemoryShare } from '../../../core/held-memory.ts'

/** What one process holds of a shared account, so that all of it can be given back when the process is gone. */
export class HeldBytes {
  readonly #memory: MemoryShare
  #held = 0

  constructor(memory: MemoryShare) {
    this.#memory = memory
  }

  /** @returns false when there is no memory left */
  take(bytes: number): boolean {
    if (!this.#memory.take(bytes)) return false
    this.#held += bytes
    return true
  }

  /** Gives back no more than is held: the pipes of a process that is gone may still report what they have written. */
  give(bytes: number): void {
    const held = Math.min(bytes, this.#held)
    this.#held -= held
    this.#memory.give(held)
  }

  giveAll(): void {
    this.give(this.#held)
  }
}
