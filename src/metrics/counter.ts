import { type Metric, pairLabels } from './metric.ts'

/** A number that only grows, for each combination of labels. The caller bounds their values. */
export interface Counter extends Metric {
  /** @param labels - values, in the order of the names */
  add(...labels: readonly string[]): void
  /** Shows a series at 0 before its first event: a rate over a series that begins at 1 misses that event. */
  begin(...labels: readonly string[]): void
}

interface Series {
  readonly labels: readonly string[]
  count: number
}

/** @param name - without `_total` */
export function createCounter(name: string, help: string, labelNames: readonly string[]): Counter {
  const all = new Map<string, Series>()
  const open = (key: string, values: readonly string[]): Series => {
    const series = { labels: pairLabels(labelNames, values), count: 0 }
    all.set(key, series)
    return series
  }
  const find = (values: readonly string[]): Series => {
    const key = values.join('\0')
    return all.get(key) ?? open(key, values)
  }
  return {
    name,
    help,
    type: 'counter',
    add(...values) {
      find(values).count += 1
    },
    begin: (...values) => void find(values),
    list: () => [...all.values()].map(({ labels, count }) => ({ suffix: '_total', labels, value: count })),
  }
}
