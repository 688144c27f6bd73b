const DOT = /^(?:\.|%2e)$/i
const TWO_DOTS = /^(?:\.|%2e){2}$/i

/**
 * Resolves `.` and `..`, also where the dots are escaped (WHATWG URL §4.4).
 *
 * @param path - absolute or not
 * @param isFileSystem - whether empty segments and a final slash count for nothing, as in file systems. In URLs `..` goes back over an
 * empty segment (RFC 3986 §5.2.4).
 */
export function resolveDots(path: string, isFileSystem: boolean): string {
  const isAbsolute = path.startsWith('/')
  const segments = path.slice(isAbsolute ? 1 : 0).split('/')
  const kept: string[] = []
  for (const segment of segments) {
    if (TWO_DOTS.test(segment)) kept.pop()
    else if (!DOT.test(segment) && !(isFileSystem && segment === '')) kept.push(segment)
  }
  const last = segments.at(-1) ?? ''
  const endsOpen = !isFileSystem && kept.at(-1) !== '' && (DOT.test(last) || TWO_DOTS.test(last))
  return (isAbsolute ? '/' : '') + kept.join('/') + (endsOpen && kept.length > 0 ? '/' : '')
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
