/** Each of several processes has its part of a limit, and at least one. */
export function portion(most: number, share: number): number {
  return Math.max(1, Math.floor(most / share))
}
