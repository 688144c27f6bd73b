/**
 * Tells the time within one request, in milliseconds since 1970, by the monotonic clock: a step that the wall clock makes meanwhile must
 * not end a span before it began.
 */
export function createSpanClock(): () => number {
  const offset = Date.now() - performance.now()
  return () => offset + performance.now()
}
