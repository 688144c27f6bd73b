let second = Number.NaN
let prefix = ''

/**
 * A time in UTC, as `Date.toISOString` has it. What the times of one second have in common is put together once.
 *
 * @param time - milliseconds since the epoch
 */
export function formatIsoTime(time: number): string {
  const milliseconds = Math.trunc(time)
  const own = Math.floor(milliseconds / 1000)
  if (own !== second) {
    second = own
    prefix = new Date(milliseconds).toISOString().slice(0, -4)
  }
  return `${prefix}${String(milliseconds - own * 1000).padStart(3, '0')}Z`
}
