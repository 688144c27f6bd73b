import type { Exemplar, Metric, Sample } from './metric.ts'

/** An exposition, and its media type. */
export interface Exposition {
  readonly type: string
  readonly text: string
}

const OPEN_METRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8'
const PROMETHEUS = 'text/plain; version=0.0.4; charset=utf-8'

/**
 * Writes metrics as Prometheus reads them, or as OpenMetrics, with exemplars, where that is accepted.
 *
 * @param accept - `Accept` of the request
 */
export function formatMetrics(metrics: readonly Metric[], accept: string | undefined): Exposition {
  const isOpen = acceptsOpenMetrics(accept)
  const text = metrics.map((metric) => formatMetric(metric, isOpen)).join('')
  return isOpen ? { type: OPEN_METRICS, text: `${text}# EOF\n` } : { type: PROMETHEUS, text }
}

function acceptsOpenMetrics(accept = ''): boolean {
  const offers = accept.toLowerCase().split(',')
  return offers.some((offer) => /^\s*application\/openmetrics-text\s*(;|$)/.test(offer) && !/;\s*q=0(\.0*)?\s*(;|$)/.test(offer))
}

/** A metric without samples is left out. OpenMetrics names a counter without the `_total` of its samples. */
function formatMetric(metric: Metric, isOpen: boolean): string {
  const samples = metric.list()
  if (samples.length === 0) return ''
  const name = metric.type === 'counter' && !isOpen ? `${metric.name}_total` : metric.name
  const lines = samples.map((sample) => formatSample(metric.name, sample, isOpen))
  return `# HELP ${name} ${metric.help}\n# TYPE ${name} ${metric.type}\n${lines.join('')}`
}

function formatSample(name: string, { suffix, labels, value, exemplar }: Sample, isOpen: boolean): string {
  const marked = isOpen && exemplar ? ` # ${formatExemplar(exemplar)}` : ''
  return `${name}${suffix}${formatLabels(labels)} ${value}${marked}\n`
}

/** Names and values have 128 characters at most together (OpenMetrics, Exemplars): these have some seventy. */
function formatExemplar({ requestId, traceId, value }: Exemplar): string {
  const trace = traceId === undefined ? '' : `,trace_id="${traceId}"`
  return `{request_id="${escapeValue(requestId)}"${trace}} ${value}`
}

function formatLabels(labels: readonly string[]): string {
  const pairs: string[] = []
  for (let i = 0; i < labels.length; i += 2) pairs.push(`${labels[i]}="${escapeValue(labels[i + 1] ?? '')}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escapeValue(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
