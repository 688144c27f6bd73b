import { escapeValue, formatLabels, formatLine, type Metric } from './metric.ts'

/** How often a value was how large, for each combination of labels. */
export interface Histogram extends Metric {
  /**
   * @param value - in seconds
   * @param labels - values, in the order of the names
   * @param requestId - of the request that it was seen at
   */
  observe(value: number, labels: readonly string[], requestId?: string): void
}

/** From a call that a cache answers to one that a person waits for; what lasts longer is a stream. */
const BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

interface Series {
  readonly labels: string
  /** By bucket; the last is for all that is larger. */
  readonly counts: number[]
  readonly exemplars: (Exemplar | undefined)[]
  sum: number
}

/** A request that stands for many: its id leads to its line in the log. */
interface Exemplar {
  readonly requestId: string
  readonly value: number
}

export function createHistogram(name: string, help: string, labelNames: readonly string[]): Histogram {
  const all = new Map<string, Series>()
  const open = (key: string, values: readonly string[]): Series => {
    const length = BOUNDS.length + 1
    const empty = { counts: new Array<number>(length).fill(0), exemplars: new Array<undefined>(length).fill(undefined) }
    const series = { labels: formatLabels(labelNames, values), ...empty, sum: 0 }
    all.set(key, series)
    return series
  }
  return {
    name,
    help,
    type: 'histogram',
    observe(value, values, requestId) {
      const key = values.join('\0')
      const series = all.get(key) ?? open(key, values)
      const bucket = findBucket(value)
      series.counts[bucket] = (series.counts[bucket] ?? 0) + 1
      series.sum += value
      if (requestId !== undefined) series.exemplars[bucket] = { requestId, value }
    },
    *list(isOpen) {
      for (const series of all.values()) yield formatSeries(name, series, isOpen)
    },
  }
}

function findBucket(value: number): number {
  const index = BOUNDS.findIndex((bound) => value <= bound)
  return index < 0 ? BOUNDS.length : index
}

/** OpenMetrics wants a fraction; the same in both formats, so that no series changes with the format. */
const BOUND_LABELS = [...BOUNDS.map((bound) => (Number.isInteger(bound) ? `${bound}.0` : String(bound))), '+Inf'].map(
  (bound) => `le="${bound}"`,
)

/** Buckets hold what is smaller, too. */
function formatSeries(name: string, { labels, counts, exemplars, sum }: Series, isOpen: boolean): string {
  const before = labels === '' ? '' : `${labels},`
  let below = 0
  let text = ''
  for (let i = 0; i < BOUND_LABELS.length; i++) {
    below += counts[i] ?? 0
    text += `${name}_bucket{${before}${BOUND_LABELS[i]}} ${below}${isOpen ? formatExemplar(exemplars[i]) : ''}\n`
  }
  return `${text}${formatLine(`${name}_sum`, labels, sum)}${formatLine(`${name}_count`, labels, below)}`
}

function formatExemplar(exemplar: Exemplar | undefined): string {
  return exemplar === undefined ? '' : ` # {request_id="${escapeValue(exemplar.requestId)}"} ${exemplar.value}`
}
