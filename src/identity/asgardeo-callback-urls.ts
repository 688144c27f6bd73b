const PATTERN = 'regexp='
/** Everything that means something in a regular expression. Asgardeo matches the whole URL against it. */
const SPECIAL = /[\\^$.*+?()[\]{}|-]/g

/**
 * Callback URLs as Asgardeo keeps them: one is compared as it is, several are alternatives of a pattern. None of them means more than
 * itself.
 *
 * @param urls - at least one
 */
export function formatCallbackUrls(urls: readonly string[]): string {
  const [first = '', ...more] = [...new Set(urls)]
  // A URL that begins like a pattern would be one.
  if (more.length === 0 && !first.startsWith(PATTERN)) return first
  return `${PATTERN}(${[first, ...more].map((url) => url.replace(SPECIAL, '\\$&')).join('|')})`
}

/**
 * Reads what {@link formatCallbackUrls} wrote.
 *
 * @returns undefined for a pattern that stands for more than a list of URLs
 */
export function parseCallbackUrls(text: string): string[] | undefined {
  if (!text.startsWith(PATTERN)) return [text]
  const list = /^\((?<list>.*)\)$/s.exec(text.slice(PATTERN.length))?.groups?.list
  const parts = list?.match(/(?:\\.|[^\\|])+/gs) ?? []
  const isPlain = parts.join('|') === list && parts.every((part) => !/[\^$.*+?()[\]{}]/.test(part.replace(/\\./gs, '')))
  return isPlain ? parts.map((part) => part.replace(/\\(.)/gs, '$1')) : undefined
}
