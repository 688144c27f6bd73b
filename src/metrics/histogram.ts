import type { TraceIds } from '../core/trace-ids.ts'
import { type Exemplar, type Metric, pairLabels, type Sample } from './metric.ts'

/** How often a value was how large, for each combination of labels. */
export interface Histogram extends Metric {
  /**
   * @param value - in seconds
   * @param labels - values, in the order of the names
   * @param requestId - of the request that it was seen at
   * @param trace - of that request, if it has one
   */
  observe(value: number, labels: readonly string[], requestId?: string, trace?: TraceIds): void
}

/** From a call that a cache answers to one that a person waits for; what lasts longer is a stream. */
const BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

interface Series {
  readonly labels: readonly string[]
  /** By bucket; the last is for all that is larger. */
  readonly counts: number[]
  readonly exemplars: (Exemplar | undefined)[]
  sum: number
}

export function createHistogram(name: string, help: string, labelNames: readonly string[]): Histogram {
  const all = new Map<string, Series>()
  const open = (key: string, values: readonly string[]): Series => {
    const length = BOUNDS.length + 1
    const empty = { counts: new Array<number>(length).fill(0), exemplars: new Array<undefined>(length).fill(undefined) }
    const series = { labels: pairLabels(labelNames, values), ...empty, sum: 0 }
    all.set(key, series)
    return series
  }
  return {
    name,
    help,
    type: 'histogram',
    observe(value, values, requestId, trace) {
      const key = values.join('\0')
      const series = all.get(key) ?? open(key, values)
      const bucket = findBucket(value)
      series.counts[bucket] = (series.counts[bucket] ?? 0) + 1
      series.sum += value
      if (requestId !== undefined)
        series.exemplars[bucket] = { requestId, traceId: trace?.isSampled ? trace.traceId : undefined, value }
    },
    list: () => [...all.values()].flatMap(listSeries),
  }
}

function findBucket(value: number): number {
  const index = BOUNDS.findIndex((bound) => value <= bound)
  return index < 0 ? BOUNDS.length : index
}

/** Buckets hold what is smaller, too. */
function listSeries({ labels, counts, exemplars, sum }: Series): Sample[] {
  let below = 0
  const buckets = counts.map((count, index): Sample => {
    below += count
    const bound = [...labels, 'le', formatBound(BOUNDS[index])]
    return { suffix: '_bucket', labels: bound, value: below, exemplar: exemplars[index] }
  })
  return [...buckets, { suffix: '_sum', labels, value: sum }, { suffix: '_count', labels, value: below }]
}

/** OpenMetrics wants a fraction; the same in both formats, so that no series changes with the format. */
function formatBound(bound: number | undefined): string {
  if (bound === undefined) return '+Inf'
  return Number.isInteger(bound) ? `${bound}.0` : String(bound)
}
