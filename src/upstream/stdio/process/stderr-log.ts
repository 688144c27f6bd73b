import type { Buffer } from 'node:buffer'
import { LineReader } from './line-reader.ts'

/** Lines that a child may write in one go, and how many come back each second. */
const burst = 200
const perSecond = 20
const longestLine = 2000
const keptLines = 10

/** Things that look like credentials, whoever they belong to. */
const schemes = /\b(?:Bearer|Basic)\s+[\w.~+/=-]{8,}/gi
/**
 * A JWT, from the beginning of the word that it stands in. Each word is taken whole or not at all (a lookahead gives nothing back): with
 * `\beyJ[\w-]{5,}\.` alone, `eyJ-eyJ-eyJ-…` would be read to its end from each of its beginnings.
 */
const tokens = /(?<![\w-])(?=[\w-]*?\beyJ[\w-]{5})(?=(?<head>[\w-]+))\k<head>\.(?=(?<payload>[\w-]{5,}))\k<payload>\.[\w-]*/gi
/** Colours and cursor movements (ECMA-48). */
const controlSequences = /\u001b(?:\[[0-?]*[ -/]*[@-~]|[@-Z\\-_])/g
const controls = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g

/** Every expression that reads what a child says, for the test that their work is linear. */
export const logExpressions = { schemes, tokens, controlSequences, controls }
/** Shorter values would blacken words that merely look alike. */
const shortestSecret = 6

/**
 * What a child says outside the protocol: its standard error, and whatever on its standard output is no message. Each line goes to the
 * log, cut, without control characters and credentials, and not more of them than a log can bear.
 */
export class ChildLog {
  readonly #onLine: (line: string) => void
  readonly #secrets: readonly string[]
  readonly #reader = new LineReader(longestLine * 4, {
    line: (line) => this.note(line.toString('utf8')),
    tooLong: (head) => this.note(head.toString('utf8')),
  })
  readonly #last: string[] = []
  #budget = burst
  #filledAt = performance.now()
  #suppressed = 0

  /** @param onLine - the log; @param secrets - values that must not stand in it */
  constructor(onLine: (line: string) => void, secrets: readonly string[]) {
    this.#onLine = onLine
    // Keys have many lines, and each of them is read for itself.
    const lines = secrets.flatMap((secret) => [secret, ...secret.split(/[\r\n]+/)])
    this.#secrets = lines.filter((secret) => secret.length >= shortestSecret)
  }

  push(chunk: Buffer): void {
    this.#reader.push(chunk)
  }

  end(): void {
    this.#reader.end()
    this.#reportSuppressed()
  }

  /** One line, from wherever. */
  note(raw: string): void {
    if (raw.trim() === '') return
    this.#last.push(raw.slice(0, longestLine * 2))
    if (this.#last.length > keptLines) this.#last.shift()
    // What isn't written needs no cleaning: of a flood, that would be most of the work.
    if (!this.#mayWrite()) return
    this.#reportSuppressed()
    const line = this.#clean(raw)
    if (line !== '') this.#onLine(line)
  }

  /** The last lines, for whoever asks why the child ended. */
  tail(): string {
    return this.#last
      .map((raw) => this.#clean(raw))
      .filter((line) => line !== '')
      .join('\n')
  }

  #clean(raw: string): string {
    let line = raw.slice(0, longestLine * 2)
    // Before anything is looked for: it could stand in between.
    line = line.replace(controlSequences, '').replace(controls, '')
    for (const secret of this.#secrets) line = line.replaceAll(secret, '[redacted]')
    line = line.replace(schemes, '[redacted]').replace(tokens, '[redacted]')
    return line.length > longestLine ? `${line.slice(0, longestLine)}…` : line.trimEnd()
  }

  #mayWrite(): boolean {
    const now = performance.now()
    this.#budget = Math.min(burst, this.#budget + ((now - this.#filledAt) / 1000) * perSecond)
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
