import { type Metric, pairLabels } from './metric.ts'

/** A number that only grows, for each combination of labels. The caller bounds their values. */
export interface Counter extends Metric {
  /** @param labels - values, in the order of the names */
  add(...labels: readonly string[]): void
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
  return {
    name,
    help,
    type: 'counter',
    add(...values) {
      const key = values.join('\0')
      const series = all.get(key) ?? open(key, values)
      series.count += 1
    },
    list: () => [...all.values()].map(({ labels, count }) => ({ suffix: '_total', labels, value: count })),
  }
}
