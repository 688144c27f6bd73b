/** A request that stands for many: its id leads to its line in the log. */
export interface Exemplar {
  readonly requestId: string
  /** Of the trace of that request, where it is recorded. */
  readonly traceId: string | undefined
  readonly value: number
}

/** One line of an exposition. */
export interface Sample {
  /** What the name of the metric is continued by. */
  readonly suffix: '' | '_total' | '_bucket' | '_sum' | '_count'
  /** Names and values, alternating. */
  readonly labels: readonly string[]
  readonly value: number
  readonly exemplar?: Exemplar | undefined
}

/** A family of samples with one name. */
export interface Metric {
  /** Without `_total`. */
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  /** What it holds now. */
  list(): readonly Sample[]
}

/** Alternates the names of labels with their values. */
export function pairLabels(names: readonly string[], values: readonly string[]): string[] {
  return names.flatMap((name, index) => [name, values[index] ?? ''])
}
