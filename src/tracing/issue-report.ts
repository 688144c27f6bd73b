export type Report = (level: 'info' | 'warn', message: string) => void

const QUIET_MS = 60_000
const MAX_LENGTH = 300
/** User and password of a URL. */
const CREDENTIALS = /\/\/[^/@\s]*@/g

/**
 * Reports trouble of the exporter once a minute: a collector that is down fails every few seconds.
 *
 * @param now - milliseconds that only grow
 */
export function createIssueReport(report: Report, now: () => number = () => performance.now()): (message: string) => void {
  let quietUntil = Number.NEGATIVE_INFINITY
  let suppressed = 0
  return (message) => {
    if (now() < quietUntil) {
      suppressed += 1
      return
    }
    quietUntil = now() + QUIET_MS
    const others = suppressed === 0 ? '' : ` (and ${suppressed} more in the last minute)`
    suppressed = 0
    report('warn', `OpenTelemetry: ${message.replace(CREDENTIALS, '//').slice(0, MAX_LENGTH)}${others}`)
  }
}
