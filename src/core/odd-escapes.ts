/**
 * Decodes what only some decoders take for escapes: ASCII in more bytes of UTF-8 than it has, which is forbidden (RFC 3629 §3), and escapes
 * of ECMAScript's `escape` (`%u0061`), as .NET's `HttpUtility` and IIS do. All else stays as it is.
 */
export function decodeOddEscapes(text: string): string {
  if (!text.includes('%')) return text
  return text
    .replaceAll(/%u([0-9a-f]{4})/gi, (_escape, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
    .replaceAll(/%(?:c|e0%8|f0%80%8)([01])%([89ab][0-9a-f])/gi, (_escape, high: string, low: string) =>
      String.fromCharCode(Number(high) * 64 + (Number.parseInt(low, 16) & 0x3f)),
    )
}
