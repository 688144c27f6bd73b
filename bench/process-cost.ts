import { readFileSync } from 'node:fs'

/** Ticks of a second in `/proc`, as Linux has had it on every platform since 2.6. */
const TICKS_A_SECOND = 100

/** Microseconds of processor time, user and system, of every thread that a process has had: steps of 10 ms. Linux only. */
export function readCpu(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  // The second field is the program's name and may hold spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return ((Number(fields[11]) + Number(fields[12])) * 1e6) / TICKS_A_SECOND
}

/** Bytes of resident memory. Linux only. */
export function readResident(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))
  return Number(line?.[1]) * 1024
}
