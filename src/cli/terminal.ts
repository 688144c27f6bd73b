import type { Paint } from './style.ts'

/** Where a command writes, and what surrounds it. Set by `main.ts`. */
export interface Terminal {
  /** A line of the result, on standard output. */
  readonly print: (line: string) => void
  /** A line for people, on standard error. */
  readonly tell: (line: string) => void
  /** Columns of standard output where that is a terminal; undefined where lines may be as long as they like. */
  readonly columns: number | undefined
  readonly paintOutput: Paint
  readonly paintError: Paint
}
