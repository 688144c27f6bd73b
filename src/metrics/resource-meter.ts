import { readdirSync, readFileSync, statSync } from 'node:fs'
import { getHeapStatistics } from 'node:v8'
import type { Clock } from '../core/clock.ts'
import { createGauge, createReadCounter } from './gauge.ts'
import type { Metric } from './metric.ts'

/** Microseconds in a second. */
const MICRO = 1e6

/** What the process takes of the machine, read when it is asked for. */
export function listResourceMetrics(clock: Clock): Metric[] {
  const startedAt = clock.wall() / 1000 - process.uptime()
  const maxFds = readMaxDescriptors()
  const gauge = (name: string, help: string, read: () => number | undefined): Metric =>
    createGauge(`mcp_auth_proxy_process_${name}`, help, [], () => {
      const value = read()
      return value === undefined ? [] : [[[], value]]
    })
  return [
    createReadCounter('mcp_auth_proxy_process_cpu_seconds', 'Processor time, user and system.', [], () => [
      [[], readCpuSeconds()],
    ]),
    gauge('resident_memory_bytes', 'Resident memory.', () => process.memoryUsage.rss()),
    gauge('heap_used_bytes', 'JavaScript heap in use.', () => getHeapStatistics().used_heap_size),
    gauge('heap_limit_bytes', 'JavaScript heap at which the process ends.', () => getHeapStatistics().heap_size_limit),
    gauge('open_fds', 'Open file descriptors.', countDescriptors),
    gauge('max_fds', 'File descriptors that may be open.', () => maxFds),
    gauge('start_time_seconds', 'When the process started, in seconds since the epoch.', () => startedAt),
  ]
}

function readCpuSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / MICRO
}

const DESCRIPTORS = '/proc/self/fd'

/** Linux 6.2 and later tell the number as the size of the folder; earlier ones have it counted. Other systems don't tell. */
function countDescriptors(): number | undefined {
  try {
    return statSync(DESCRIPTORS).size || readdirSync(DESCRIPTORS).length
  } catch {
    return undefined
  }
}

function readMaxDescriptors(): number | undefined {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
    return soft === undefined ? undefined : Number(soft)
  } catch {
    return undefined
  }
}
