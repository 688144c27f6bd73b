import type { Buffer } from 'node:buffer'
import type { Clock } from '../../../core/clock.ts'
import { LineReader } from './line-reader.ts'
import { beginTurn } from './turn-share.ts'

/** Lines that a process may write at once, and how many more each second. */
const MAX_BURST_LINES = 200
const LINES_PER_SECOND = 20
const MAX_LINE_LENGTH = 2000
const KEPT_LINES = 10

/** Whatever looks like a credential. */
const SCHEMES = /\b(?:Bearer|Basic)\s+[\w.~+/=-]{8,}/gi
/**
 * A JWT, from the beginning of its word. Lookaheads keep this linear, since they don't backtrack: with `\beyJ[\w-]{5,}\.` alone,
 * `eyJ-eyJ-eyJ-…` would be read to its end from each `eyJ`.
 */
const TOKENS = /(?<![\w-])(?=[\w-]*?\beyJ[\w-]{5})(?=(?<head>[\w-]+))\k<head>\.(?=(?<payload>[\w-]{5,}))\k<payload>\.[\w-]*/gi
/** Colours and cursor movements (ECMA-48). */
const CONTROL_SEQUENCES = /\u001b(?:\[[0-?]*[ -/]*[@-~]|[@-Z\\-_])/g
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g

/** Every expression that is applied to what a process writes, for the test that their work is linear. */
export const LOG_EXPRESSIONS = { schemes: SCHEMES, tokens: TOKENS, controlSequences: CONTROL_SEQUENCES, controls: CONTROLS }
/** Shorter values would redact words that only look alike. */
const MIN_SECRET_LENGTH = 6

export interface ChildLogOptions {
  readonly clock: Clock
  readonly onLine: (line: string) => void
  /** Values that must not appear in the log. */
  readonly secrets: readonly string[]
}

/**
 * What a process writes outside the protocol: its standard error, and everything on its standard output that is not a message. Lines are
 * truncated, cleaned of control characters and credentials, and limited in number.
 */
export class ChildLog {
  readonly #clock: Clock
  readonly #onLine: (line: string) => void
  readonly #secrets: readonly string[]
  readonly #reader = new LineReader(MAX_LINE_LENGTH * 4, {
    line: (line) => this.note(line.toString('utf8')),
    tooLong: (head) => this.note(head.toString('utf8')),
  })
  readonly #last: string[] = []
  #budget = MAX_BURST_LINES
  #filledAt: number
  #suppressed = 0

  constructor({ clock, onLine, secrets }: ChildLogOptions) {
    this.#clock = clock
    this.#filledAt = clock.monotonic()
    this.#onLine = onLine
    // A key has several lines, and each line of the log is cleaned for itself.
    const lines = secrets.flatMap((secret) => [secret, ...secret.split(/[\r\n]+/)])
    this.#secrets = lines.filter((secret) => secret.length >= MIN_SECRET_LENGTH)
  }

  /** @returns what has to wait for another turn of the event loop; empty as a rule */
  push(chunk: Buffer): Buffer {
    return this.#reader.push(chunk, beginTurn(this.#clock))
  }

  end(): void {
    this.#reader.end()
    this.#reportSuppressed()
  }

  /** Logs one line. */
  note(raw: string): void {
    if (raw.trim() === '') return
    this.#last.push(raw.slice(0, MAX_LINE_LENGTH * 2))
    if (this.#last.length > KEPT_LINES) this.#last.shift()
    // Only what is written has to be cleaned. In a flood, cleaning everything would be most of the work.
    if (!this.#mayWrite()) return
    this.#reportSuppressed()
    const line = this.#clean(raw)
    if (line !== '') this.#onLine(line)
  }

  /** The last lines, to explain why the process ended. */
  tail(): string {
    return this.#last
      .map((raw) => this.#clean(raw))
      .filter((line) => line !== '')
      .join('\n')
  }

  #clean(raw: string): string {
    let line = raw.slice(0, MAX_LINE_LENGTH * 2)
    // These come first, since they could stand in the middle of a secret.
    line = line.replace(CONTROL_SEQUENCES, '').replace(CONTROLS, '')
    for (const secret of this.#secrets) line = line.replaceAll(secret, '[redacted]')
    line = line.replace(SCHEMES, '[redacted]').replace(TOKENS, '[redacted]')
    return line.length > MAX_LINE_LENGTH ? `${line.slice(0, MAX_LINE_LENGTH)}…` : line.trimEnd()
  }

  #mayWrite(): boolean {
    const now = this.#clock.monotonic()
    this.#budget = Math.min(MAX_BURST_LINES, this.#budget + ((now - this.#filledAt) / 1000) * LINES_PER_SECOND)
    this.#filledAt = now
    if (this.#budget < 1) {
      this.#suppressed++
      return false
    }
    this.#budget--
    return true
  }

  #reportSuppressed(): void {
    if (this.#suppressed === 0) return
    this.#onLine(`(${this.#suppressed} lines left out)`)
    this.#suppressed = 0
  }
}
