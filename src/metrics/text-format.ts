import { setImmediate } from 'node:timers/promises'
import type { Metric } from './metric.ts'

/** An exposition, and its media type. */
export interface Exposition {
  readonly type: string
  readonly text: Uint8Array
}

const OPEN_METRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8'
const PROMETHEUS = 'text/plain; version=0.0.4; charset=utf-8'
/** Characters that are written without a break. Hundreds of servers have megabytes of series, and calls must not wait for them. */
const PIECE_LENGTH = 32 * 1024

/**
 * Writes metrics as Prometheus reads them, or as OpenMetrics, with exemplars. Other work has its turn after each piece.
 *
 * @param isOpen - whether OpenMetrics is wanted
 */
export async function formatMetrics(metrics: Iterable<Metric>, isOpen: boolean): Promise<Exposition> {
  const pieces: Buffer[] = []
  let piece = ''
  for (const text of listTexts(metrics, isOpen)) {
    piece += text
    if (piece.length < PIECE_LENGTH) continue
    pieces.push(Buffer.from(piece))
    piece = ''
    await setImmediate()
  }
  pieces.push(Buffer.from(isOpen ? `${piece}# EOF\n` : piece))
  return { type: isOpen ? OPEN_METRICS : PROMETHEUS, text: Buffer.concat(pieces) }
}

/** @param accept - `Accept` of the request */
export function acceptsOpenMetrics(accept = ''): boolean {
  const offers = accept.toLowerCase().split(',')
  return offers.some((offer) => /^\s*application\/openmetrics-text\s*(;|$)/.test(offer) && !/;\s*q=0(\.0*)?\s*(;|$)/.test(offer))
}

/** A metric without series is left out. OpenMetrics names a counter without the `_total` of its series. */
function* listTexts(metrics: Iterable<Metric>, isOpen: boolean): Generator<string> {
  for (const metric of metrics) {
    const name = metric.type === 'counter' && !isOpen ? `${metric.name}_total` : metric.name
    let heading = `# HELP ${name} ${metric.help}\n# TYPE ${name} ${metric.type}\n`
    for (const lines of metric.list(isOpen)) {
      yield heading === '' ? lines : heading + lines
      heading = ''
    }
  }
}
