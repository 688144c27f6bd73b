import type { Child } from '../child.ts'

/** What a measured run showed. Printed as one line of JSON. */
export interface Measured {
  /** Of the target, for example `R11`. */
  readonly id: string
  readonly target: string
  readonly measured: Readonly<Record<string, number | string | boolean | undefined>>
  readonly pass: boolean
}

/** What each run gets: parts of its own, so that none sees what another has left behind. */
export interface Setting {
  readonly upstream: Child
  readonly proxy: Child
  readonly tokens: readonly string[]
  /** How often the issuer was asked for its keys until now. */
  readonly countKeyFetches: () => number
  /** Starts ordinary clients that call until they are stopped. */
  readonly startTraffic: (callsPerSecond: number) => Promise<Child>
}

export const mebibyte = 1024 * 1024

/** Waits for as long as something is not so, at most until the deadline. Returns whether it became so. */
export async function waitUntil(isSo: () => Promise<boolean> | boolean, deadlineMilliseconds: number): Promise<boolean> {
  const end = performance.now() + deadlineMilliseconds
  while (performance.now() < end) {
    if (await isSo()) return true
    await pause(50)
  }
  return isSo()
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
