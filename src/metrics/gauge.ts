import { type Metric, pairLabels } from './metric.ts'

/** Label values, and the number that belongs to them. */
export type Reading = readonly [labels: readonly string[], value: number]

/** What is read when it is asked for: it costs nothing before. */
export function createGauge(name: string, help: string, labelNames: readonly string[], read: () => readonly Reading[]): Metric {
  return { name, help, type: 'gauge', list: () => listReadings(labelNames, read, '') }
}

/** As a gauge, of something that another part counts. @param name - without `_total` */
export function createReadCounter(
  name: string,
  help: string,
  labelNames: readonly string[],
  read: () => readonly Reading[],
): Metric {
  return { name, help, type: 'counter', list: () => listReadings(labelNames, read, '_total') }
}

function listReadings(labelNames: readonly string[], read: () => readonly Reading[], suffix: '' | '_total') {
  return read().map(([values, value]) => ({ suffix, labels: pairLabels(labelNames, values), value }))
}
