/** A part of the memory that bridges to processes have together. */
export interface MemoryShare {
  /**
   * Takes memory before something is held.
   *
   * @param bytes - how much
   * @param part - how much of each share may be used up by it: what can be spared must leave room for what can't
   * @returns false when there is no more of it
   */
  take(bytes: number, part?: number): boolean
  /** Gives back what was taken. */
  give(bytes: number): void
}

/**
 * The account of what is held between clients and servers that are processes: messages that wait for either to read, lines that are not
 * complete, and events that are kept for clients that come back. HTTP bodies have a room of their own (`http/body-room.ts`) while they
 * come in, where one can wait; what is here has been accepted, and is refused or let go of instead.
 */
export interface HeldMemory {
  /** @param user - whom it is held for; undefined for what users share */
  open(server: string, user: string | undefined): MemoryShare
}

/** Of all, one user and one server get these parts at most: the others go on. */
const PART_OF_USER = 1 / 4
const PART_OF_SERVER = 1 / 2

/** What waits leaves so much of each share to what is on its way: a process whose lines there is no memory for is ended. */
export const PART_FOR_WAITING = 1 / 2

interface Bound {
  readonly owner: string
  readonly bytes: number
}

/** @param bytes - for all together */
export function createHeldMemory(bytes: number): HeldMemory {
  const held = new Map<string, number>()
  const add = (owner: string, more: number): void => {
    const sum = (held.get(owner) ?? 0) + more
    if (sum > 0) held.set(owner, sum)
    else held.delete(owner)
  }
  // Whoever holds nothing may hold one message, however long it is.
  const hasRoom = (bound: Bound, more: number, part: number): boolean => {
    const used = held.get(bound.owner) ?? 0
    return used + more <= bound.bytes * part || (used === 0 && part === 1)
  }
  return {
    open(server, user) {
      const bounds: Bound[] = [
        { owner: 'all', bytes },
        { owner: `server ${server}`, bytes: bytes * PART_OF_SERVER },
      ]
      if (user !== undefined) bounds.push({ owner: `user ${user}`, bytes: bytes * PART_OF_USER })
      return {
        take(more, part = 1) {
          if (!bounds.every((bound) => hasRoom(bound, more, part))) return false
          for (const { owner } of bounds) add(owner, more)
          return true
        },
        give(less) {
          for (const { owner } of bounds) add(owner, -less)
        },
      }
    },
  }
}
