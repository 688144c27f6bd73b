import { createHash } from 'node:crypto'

/** Gives a number from 0 up to, not including, `sides`. */
export type Dice = (sides: number) => number

/** A sequence that looks random and is the same each time. */
export function createDice(seed: string): Dice {
  let state = seed
  return (sides) => {
    state = createHash('sha256').update(state).digest('hex')
    return Number.parseInt(state.slice(0, 8), 16) % sides
  }
}
