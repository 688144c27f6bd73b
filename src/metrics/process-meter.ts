import type { CancelTimer, Clock } from '../core/clock.ts'
import { readVersion } from '../core/version.ts'
import { createGauge } from './gauge.ts'
import { createHistogram } from './histogram.ts'
import type { Metric } from './metric.ts'

/** Interval at which the delay of the event loop is looked at. */
const LOOK_MS = 100

/** Measures the process: its version, and by how much work on one request delays all others. */
export function createProcessMeter(clock: Clock): { readonly metrics: readonly Metric[]; readonly stop: CancelTimer } {
  const delay = createHistogram(
    'mcp_auth_proxy_event_loop_delay_seconds',
    'How late a timer was that was due ten times a second.',
    [],
  )
  const labels = [readVersion(), process.versions.node]
  const build = createGauge('mcp_auth_proxy_build_info', 'Always 1: the version that runs.', ['version', 'node'], () => [
    [labels, 1],
  ])
  let dueAt = clock.monotonic() + LOOK_MS
  const stop = clock.every(LOOK_MS, () => {
    const now = clock.monotonic()
    delay.observe(Math.max(0, now - dueAt) / 1000, [])
    dueAt = now + LOOK_MS
  })
  return { metrics: [delay, build], stop }
}
