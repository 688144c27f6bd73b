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
  /** Of the refused: those whose connection broke while something on their way did. */
  readonly broken: number
  /** Of the refused: those for which nothing was out of order. */
  readonly unexplained: number
  /** How many were refused, by what they were and the status. */
  readonly refusals: Readonly<Record<string, number>>
  /** Of the first that were lost or wrong, or refused without a reason. */
  readonly complaints: readonly string[]
}

/** What was out of order, and when. */
export interface Disorder {
  /** Until it was noticed that all is well again: requests may be refused. */
  readonly disturbed: readonly Span[]
  /** Connections may break. */
  readonly breaking: readonly Span[]
}

/** What became of every request. */
export interface Journal {
  readonly entries: readonly Entry[]
  /** Notes a request that has come to an end, and says what became of it. */
  note(kind: string, outcome: Outcome, expected: ReadonlyMap<unknown, string> | Verdict): Verdict
  tally(disorder: Disorder): Tally
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
    tally: (disorder) => tally(entries, disorder),
  }
}

function tally(entries: readonly Entry[], { disturbed, breaking }: Disorder): Tally {
  const found = { sent: entries.length, right: 0, refused: 0, broken: 0, unexplained: 0, lost: 0, wrong: 0 }
  const complaints: string[] = []
  const refusals: Record<string, number> = {}
  for (const entry of entries) {
    const counts = classify(entry, isWithin(entry, disturbed), isWithin(entry, breaking))
    for (const count of counts) found[count] += 1
    const refusal = `${entry.kind} ${entry.status}`
    if (counts[0] === 'refused') refusals[refusal] = (refusals[refusal] ?? 0) + 1
    const isExpected = counts.every((count) => count === 'right' || count === 'refused' || count === 'broken')
    if (!isExpected && complaints.length < MAX_COMPLAINTS) complaints.push(`${counts}: ${describe(entry)}`)
  }
  return { ...found, refusals, complaints }
}

function isWithin({ from, to }: Span, spans: readonly Span[]): boolean {
  return spans.some((span) => span.from <= to && from <= span.to)
}

function classify(
  { verdict }: Entry,
  isDisturbed: boolean,
  isBreaking: boolean,
): readonly Exclude<keyof Tally, 'complaints' | 'refusals' | 'sent'>[] {
  if (verdict === 'broken') return isBreaking ? ['refused', 'broken'] : ['lost']
  if (verdict === 'refused' && !isDisturbed) return ['refused', 'unexplained']
  return [verdict]
}

function describe({ kind, what, from, to }: Entry): string {
  return `${kind}: ${what} (${Math.round(from)}–${Math.round(to)})`
}
