const DOT = /^(?:\.|%2e)$/i
const TWO_DOTS = /^(?:\.|%2e){2}$/i

/** How dot segments are resolved. */
export interface DotReading {
  /** Whether empty segments and a final slash count for nothing. In URLs `..` goes back over an empty segment (RFC 3986 §5.2.4). */
  readonly isFileSystem: boolean
  /** Whether dots may be escaped (WHATWG URL §4.4). To others `%2e%2e` is a name, which `..` goes back over. */
  readonly isEscaped: boolean
}

/** Every way to resolve dot segments. */
export const dotReadings: readonly DotReading[] = [false, true].flatMap((isFileSystem) =>
  [false, true].map((isEscaped) => ({ isFileSystem, isEscaped })),
)

/** Spares ordinary segments the expressions. */
function mayBeDots(segment: string): boolean {
  return segment.length <= 6 && segment.includes('%')
}

/** Resolves `.` and `..` of a path, absolute or not. */
export function resolveDots(path: string, { isFileSystem, isEscaped }: DotReading): string {
  const isDot = (segment: string): boolean => segment === '.' || (isEscaped && mayBeDots(segment) && DOT.test(segment))
  const isParent = (segment: string): boolean => segment === '..' || (isEscaped && mayBeDots(segment) && TWO_DOTS.test(segment))
  const isAbsolute = path.startsWith('/')
  const segments = path.slice(isAbsolute ? 1 : 0).split('/')
  const kept: string[] = []
  for (const segment of segments) {
    if (isParent(segment)) kept.pop()
    else if (!isDot(segment) && !(isFileSystem && segment === '')) kept.push(segment)
  }
  const last = segments.at(-1) ?? ''
  const endsOpen = !isFileSystem && kept.length > 0 && kept.at(-1) !== '' && (isDot(last) || isParent(last))
  return (isAbsolute ? '/' : '') + kept.join('/') + (endsOpen ? '/' : '')
}

/** Whether a path leads out of where it begins. */
export function climbs(path: string): boolean {
  if (!path.includes('..')) return false
  let depth = 0
  for (const segment of path.split('/')) {
    if (segment === '..') depth--
    else if (segment !== '.' && segment !== '') depth++
    if (depth < 0) return true
  }
  return false
}
