import type { Outcome } from '../client.ts'
import { judge, type Verdict } from './verdict.ts'

/** Milliseconds of `performance.now()`. */
export interface Span {
  readonly from: number
  readonly to: number
}

export interface Entry extends Span {
  readonly kind: string
  readonly verdict: Verdict
  readonly status: number
  /** For complaints. */
  readonly what: string
}

/** Counts of requests. */
export interface Tally extends Readonly<Record<Exclude<Verdict, 'broken'>, number>> {
  readonly sent: number
  /** Of the refused: those whose connection broke while something on their way was disturbed. */
  readonly broken: number
  /** Of the refused: those on whose way nothing was disturbed. A session that was lost earlier is told so then. */
  readonly late: number
  /** Of the first that were lost or wrong, or refused without a reason. */
  readonly complaints: readonly string[]
}

/** What became of every request. */
export interface Journal {
  readonly entries: readonly Entry[]
  /** Notes a request that has come to an end, and says what became of it. */
  note(kind: string, outcome: Outcome, expected: ReadonlyMap<unknown, string> | Verdict): Verdict
  /** @param disturbed - when anything on the way of requests was, until it was noticed */
  tally(disturbed: readonly Span[]): Tally
}

const MAX_COMPLAINTS = 10

export function createJournal(): Journal {
  const entries: Entry[] = []
  return {
    entries,
    note(kind, outcome, expected) {
      const verdict = typeof expected === 'string' ? expected : judge(outcome, expected)
      const to = performance.now()
      const what = verdict === 'right' ? '' : `${outcome.status} ${outcome.body.slice(0, 300)}`
      entries.push({ kind, verdict, from: to - outcome.ms, to, status: outcome.status, what })
      return verdict
    },
    tally: (disturbed) => tally(entries, disturbed),
  }
}

function tally(entries: readonly Entry[], disturbed: readonly Span[]): Tally {
  const isDisturbed = ({ from, to }: Span) => disturbed.some((span) => span.from <= to && from <= span.to)
  const found = { sent: entries.length, right: 0, refused: 0, broken: 0, late: 0, lost: 0, wrong: 0 }
  const complaints: string[] = []
  const count = (entry: Entry, as: Exclude<keyof Tally, 'complaints'>) => {
    found[as] += 1
    const isExpected = as === 'right' || as === 'broken' || (as === 'refused' && (isDisturbed(entry) || entry.status === 404))
    if (!isExpected && complaints.length < MAX_COMPLAINTS)
      complaints.push(`${as}: ${entry.kind}: ${entry.what} (${Math.round(entry.from)}–${Math.round(entry.to)})`)
  }
  for (const entry of entries) {
    if (entry.verdict !== 'broken') count(entry, entry.verdict)
    else if (!isDisturbed(entry)) count(entry, 'lost')
    else {
      count(entry, 'broken')
      found.refused += 1
    }
    if (entry.verdict === 'refused' && !isDisturbed(entry)) found.late += 1
  }
  return { ...found, complaints }
}
