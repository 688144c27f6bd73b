/** Longest piece of what others said that is repeated. */
const MAX_QUOTED_CHARACTERS = 160
/** What a terminal or a viewer would obey instead of showing: control characters, line ends, what turns the direction of writing. */
const CONTROL_CHARACTERS = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}]/gu

/** Quotes untrusted text inside a message: on one line, bounded, with control characters escaped. */
export function quoteUntrusted(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value))
  const cut = text.length > MAX_QUOTED_CHARACTERS ? `${text.slice(0, MAX_QUOTED_CHARACTERS - 1)}…` : text
  return `"${escapeControlCharacters(cut).replaceAll('"', '\\"')}"`
}

/** Shows what would be obeyed. Line ends too: a report has one line for a thing. */
export function escapeControlCharacters(text: string): string {
  return text.replace(CONTROL_CHARACTERS, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`)
}

/** Shorter pieces could be anything. */
const SHORTEST_SECRET = 8

/**
 * Redacts secrets in a text, wherever they came from: a probed server may echo them. Of a JWT its parts are secrets as well, the
 * header excepted.
 */
export function createRedaction(secrets: readonly string[]): (text: string) => string {
  const pieces = secrets.flatMap(listPieces).filter((piece) => piece.length >= SHORTEST_SECRET)
  const longestFirst = [...new Set(pieces)].sort((a, b) => b.length - a.length)
  return (text) => longestFirst.reduce((rest, piece) => rest.replaceAll(piece, '[secret]'), text)
}

/** A secret and what remains of it when only its beginning is repeated. */
function listPieces(secret: string): string[] {
  const parts = secret.split('.')
  const whole = parts.length === 3 ? [secret, ...parts.slice(1)] : [secret]
  return whole.flatMap((piece) => [piece, encodeURIComponent(piece), piece.slice(0, 24)])
}
