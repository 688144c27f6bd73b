import type { Paint } from './style.ts'

/** Where a command writes, and what surrounds it. Set by `main.ts`. */
export interface Terminal {
  /** A line of the result, on standard output. */
  readonly print: (line: string) => void
  /** A line for people, on standard error. */
  readonly tell: (line: string) => void
  readonly paintOutput: Paint
  readonly paintError: Paint
}
