/** `scope-token` (RFC 6749 §3.3): printable ASCII without space, quote and backslash. */
const SCOPE_TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/

/** Whether a text is one scope. What isn't could never be asked for in a challenge. */
export function isScopeToken(text: string): boolean {
  return SCOPE_TOKEN.test(text)
}
