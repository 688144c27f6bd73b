/** A share of the memory for what is held between clients and MCP servers. */
export interface MemoryShare {
  /**
   * Takes memory before something is held.
   *
   * @param bytes - how much
   * @param part - the part of each share that may be used for it; less than 1 for what is not essential
   * @returns false when there is not enough left
   */
  take(bytes: number, part?: number): boolean
  /** Gives back what was taken. */
  give(bytes: number): void
}

/** For what takes less than the buffers of a connection do. */
export const UNACCOUNTED: MemoryShare = { take: () => true, give: () => undefined }

/**
 * The account of the memory for stdio servers: messages that wait to be read, incomplete lines, and events for clients that resume. Of
 * any server, answers that are held until they can be filtered are accounted here as well, and arguments of calls whose streams may be decided anew. Request bodies that are still being received have another account (`http/body-room.ts`), where requests wait for memory. What is accounted here has
 * been accepted already, so without memory it is refused or dropped.
 */
export interface HeldMemory {
  /** @param user - whose share it is; undefined for what users share */
  open(server: string, user: string | undefined): MemoryShare
  /** What is held stays, also where it is more than the new bounds. @param bytes - for all together from now on */
  resize(bytes: number): void
}

/** The most that one user and one server may have, so that there is memory for others. */
const PART_OF_USER = 1 / 4
const PART_OF_SERVER = 1 / 2

/** What waits may use only this part of each share. The rest is for messages in transit: without memory for its lines, a process is ended. */
export const PART_FOR_WAITING = 1 / 2

interface Bound {
  readonly owner: string
  /** Of all memory. */
  readonly share: number
}

/** @param bytes - for all together */
export function createHeldMemory(bytes: number): HeldMemory {
  const held = new Map<string, number>()
  let total = bytes
  const add = (owner: string, more: number): void => {
    const sum = (held.get(owner) ?? 0) + more
    if (sum > 0) held.set(owner, sum)
    else held.delete(owner)
  }
  // An owner that holds nothing may hold one message of any length.
  const hasRoom = (bound: Bound, more: number, part: number): boolean => {
    const used = held.get(bound.owner) ?? 0
    return used + more <= total * bound.share * part || (used === 0 && part === 1)
  }
  return {
    resize(more) {
      total = more
    },
    open(server, user) {
      const bounds: Bound[] = [
        { owner: 'all', share: 1 },
        { owner: `server ${server}`, share: PART_OF_SERVER },
      ]
      if (user !== undefined) bounds.push({ owner: `user ${user}`, share: PART_OF_USER })
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
