/** What stands before the root of an SVG document: a declaration, comments, a document type without declarations of its own. */
const PROLOG: readonly (readonly [begin: string, end: string])[] = [
  ['<?', '?>'],
  ['<!--', '-->'],
  ['<!DOCTYPE', '>'],
]

/** The media type of an image that browsers show, by its content; undefined for everything else. */
export function findImageType(bytes: Buffer): string | undefined {
  if (bytes.toString('latin1', 0, 8) === '\x89PNG\r\n\x1a\n') return 'image/png'
  if (bytes.toString('latin1', 0, 3) === '\xff\xd8\xff') return 'image/jpeg'
  if (bytes.toString('latin1', 0, 4) === 'RIFF' && bytes.toString('latin1', 8, 12) === 'WEBP') return 'image/webp'
  return isSvg(bytes) ? 'image/svg+xml' : undefined
}

function isSvg(bytes: Buffer): boolean {
  let rest = bytes.toString('utf8').replace('\ufeff', '').trimStart()
  for (;;) {
    const [begin, end] = PROLOG.find(([begin]) => rest.startsWith(begin)) ?? []
    if (begin === undefined || end === undefined) break
    const at = rest.indexOf(end)
    if (at < 0) return false
    rest = rest.slice(at + end.length).trimStart()
  }
  if (!/^<svg[\s>]/.test(rest)) return false
  // Without its namespace it is XML that no browser draws.
  return rest.slice(0, rest.indexOf('>')).includes('http://www.w3.org/2000/svg')
}
