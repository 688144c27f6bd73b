/** A family of series with one name. */
export interface Metric {
  /** Without `_total`. */
  readonly name: string
  /** On one line. */
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  /**
   * Writes the series as they are now, one at a time, so that the caller can stop between two.
   *
   * @param isOpen - as OpenMetrics, which has exemplars
   * @returns the lines of each series, with their ends
   */
  list(isOpen: boolean): Iterable<string>
}

/** Writes `name="value",…`. Made once for each series: scrapes come often, and labels stay. */
export function formatLabels(names: readonly string[], values: readonly string[]): string {
  return names.map((name, index) => `${name}="${escapeValue(values[index] ?? '')}"`).join(',')
}

/** The same in both formats; line ends other than LF stand for themselves. */
export function escapeValue(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}

/** @param labels - from {@link formatLabels} */
export function formatLine(name: string, labels: string, value: number): string {
  return labels === '' ? `${name} ${value}\n` : `${name}{${labels}} ${value}\n`
}
