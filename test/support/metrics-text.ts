import type { Metric } from '../../src/metrics/metric.ts'
import { formatMetrics } from '../../src/metrics/text-format.ts'

/** Metrics as Prometheus reads them. */
export async function readMetrics(metrics: readonly Metric[]): Promise<string> {
  return new TextDecoder().decode((await formatMetrics(metrics, false)).text)
}
