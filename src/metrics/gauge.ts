import { formatLabels, formatLine, type Metric } from './metric.ts'

/** Label values, and the number that belongs to them. */
export type Reading = readonly [labels: readonly string[], value: number]

/** What is read when it is asked for: it costs nothing before. */
export function createGauge(name: string, help: string, labelNames: readonly string[], read: () => Iterable<Reading>): Metric {
  return { name, help, type: 'gauge', list: () => listReadings(name, labelNames, read()) }
}

/** As a gauge, of something that another part counts. @param name - without `_total` */
export function createReadCounter(
  name: string,
  help: string,
  labelNames: readonly string[],
  read: () => Iterable<Reading>,
): Metric {
  return { name, help, type: 'counter', list: () => listReadings(`${name}_total`, labelNames, read()) }
}

function* listReadings(name: string, labelNames: readonly string[], readings: Iterable<Reading>): Generator<string> {
  for (const [values, value] of readings) yield formatLine(name, formatLabels(labelNames, values), value)
}
