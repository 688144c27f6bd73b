/**
 * The new path where a redirect adds or removes a final slash and changes nothing else, as frameworks do (Starlette, Django, Go's ServeMux). The
 * scheme is ignored: it comes from the forwarded headers, and nothing is sent to it.
 *
 * @param status - of the redirect
 * @param location - its `Location`
 * @param path - path and query that were asked
 * @param origin - that was asked
 */
export function findSlashTarget(status: number, location: unknown, path: string, origin: string): string | undefined {
  // 303 asks for a GET, and 300 leaves the choice.
  if (![301, 302, 307, 308].includes(status) || typeof location !== 'string') return undefined
  const asked = new URL(path, origin)
  const target = URL.parse(location, asked.href)
  if (target === null || target.host !== asked.host || target.search !== asked.search) return undefined
  const [own = '', ...query] = path.split('?')
  const other = own.endsWith('/') ? own.slice(0, -1) : `${own}/`
  if (other === '' || other.endsWith('//') || target.pathname !== new URL(other, origin).pathname) return undefined
  return [other, ...query].join('?')
}

const MAX_CHARACTERS = 200

/** The target of a redirect, for the log: without credentials and query, which may be secrets. */
export function describeRedirect(status: number, location: unknown, path: string, origin: string): string {
  const target = typeof location === 'string' ? URL.parse(location, new URL(path, origin).href) : null
  if (target === null) return `status ${status} to nowhere`
  return `status ${status} to ${`${target.protocol}//${target.host}${target.pathname}`.slice(0, MAX_CHARACTERS)}`
}
