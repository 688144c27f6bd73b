/** `skipped`: could not be looked at, and why; neither good nor bad. */
export type Verdict = 'ok' | 'warning' | 'problem' | 'skipped'

/** One thing that was looked at. */
export interface Finding {
  /** What was looked at, in a word that does not change between versions: `issuer_mismatch`. */
  readonly id: string
  readonly verdict: Verdict
  /** What it concerns: an issuer, a server, the public URL. Findings about the same thing have the same text here. */
  readonly about: string
  readonly says: string
  /** What to do; warnings and problems have it. */
  readonly fix: string | undefined
}

/** Makes findings about one thing. */
export interface Findings {
  ok(id: string, says: string): Finding
  skipped(id: string, says: string): Finding
  warning(id: string, says: string, fix: string): Finding
  problem(id: string, says: string, fix: string): Finding
}

/** @param about - what all of them concern */
export function findingsAbout(about: string): Findings {
  const make =
    (verdict: Verdict) =>
    (id: string, says: string, fix?: string): Finding => ({ id, verdict, about, says, fix })
  return { ok: make('ok'), skipped: make('skipped'), warning: make('warning'), problem: make('problem') }
}
