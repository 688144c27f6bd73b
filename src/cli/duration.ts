import { UsageError } from './usage-error.ts'

const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 } as const

/**
 * @param text - as in `90s`, `15m`, `12h`, `30d`
 * @returns seconds
 * @throws UsageError
 */
export function parseDuration(text: string): number {
  const [, count = '', unit = ''] = /^(\d{1,9})([smhd])$/.exec(text) ?? []
  const seconds = Number(count) * (SECONDS[unit as keyof typeof SECONDS] ?? 0)
  if (seconds === 0) throw new UsageError(`--for ${text} ${explain(text)}: write it like 90s, 15m, 12h or 30d.`)
  return seconds
}

function explain(text: string): string {
  if (/^\d+$/.test(text)) return 'has no unit'
  return /^0+[smhd]$/.test(text) ? 'is no time at all' : 'is no time'
}
