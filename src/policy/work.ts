/** What judging one message may still cost, in characters that are looked at. Shared by all of its targets and all rules. */
export interface Work {
  left: number
}

/** Some ten to twenty milliseconds. A thousand ordinary URIs against forty rules take a third of it. */
export const MAX_WORK = 4_000_000

export function createWork(): Work {
  return { left: MAX_WORK }
}

/** Counts what is about to be done. Loops end when `left` is below zero, and the message is refused. */
export function spend(work: Work, characters: number): void {
  work.left -= characters
}
