import type { Finding, Findings } from './finding.ts'
import type { IssuerProbe } from './probe-issuer.ts'

/** Whether our clock and the issuer's agree within what tokens are given. */
export function checkClock({ aheadSeconds }: IssuerProbe, toleranceSeconds: number, about: Findings): Finding[] {
  if (aheadSeconds === undefined) return []
  const seconds = Math.abs(Math.round(aheadSeconds))
  // Dates come in whole seconds, and the way takes time.
  if (seconds <= 2) return [about.ok('clock', 'Its clock and that of this machine agree.')]
  const says = `The clock of this machine is ${seconds} s ${aheadSeconds > 0 ? 'behind' : 'ahead of'} that of the issuer.`
  const fix = 'Synchronize the clock of this machine (NTP): tokens are refused as expired or not yet valid otherwise.'
  return [seconds >= toleranceSeconds ? about.problem('clock_skew', says, fix) : about.warning('clock_skew', says, fix)]
}
