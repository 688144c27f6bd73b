/**
 * Formats a claim as the value of a header field that can be read in one way only: printable ASCII stays, all else is percent-encoded (UTF-8), and so are `%`, commas
 * and blanks at the ends. The members of a list are separated by commas.
 *
 * @returns undefined for what has no such form: objects, lists with anything but texts, numbers and booleans, nothing
 */
export function formatPlainValue(value: unknown): string | undefined {
  const items: readonly unknown[] = Array.isArray(value) ? value : [value]
  const texts = items.map(formatItem)
  if (!texts.every((text) => text !== undefined)) return undefined
  return texts.length === 0 ? undefined : texts.join(',')
}

/** An empty text would be no member of a list. */
function formatItem(item: unknown): string | undefined {
  const isPlain = typeof item === 'boolean' || Number.isSafeInteger(item)
  const text = isPlain ? String(item) : item
  if (typeof text !== 'string' || text === '' || !text.isWellFormed()) return undefined
  return text.replace(/^ +| +$|[^\x20-\x7e]+|[%,]/g, encode)
}

function encode(text: string): string {
  return Array.from(Buffer.from(text), (byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('')
}
