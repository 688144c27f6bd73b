import { applyEdits, type Edit, insertMembers } from '../core/json/json-edits.ts'
import { looksLike } from '../core/json/lenient-key.ts'
import { outlineMessages } from '../core/json/outline-messages.ts'
import type { Outline } from '../core/json/shallow-outline.ts'

/**
 * Where a request over standard streams says who calls: a reversed domain name of ours, a slash and a name, as the specification has keys of
 * `_meta` (2026-07-28, basic/index, `_meta`).
 */
export const CALLER_KEY = 'io.github.open-mcp-auth-proxy/identity'

/**
 * Says in each request of a body who calls. What the client says there under that name, or one that a lenient decoder takes for it, is dropped
 * from every message. Everything else stays as it is, byte for byte.
 *
 * @param text - a body, which was parsed before
 * @param caller - JSON on one line
 */
export function setCallerMeta(text: string, caller: string): string {
  const member = `${JSON.stringify(CALLER_KEY)}:${caller}`
  return applyEdits(
    text,
    outlineMessages(text).flatMap((message) => editMessage(text, message, member)),
  )
}

function editMessage(text: string, { members, end }: Outline, member: string): Edit[] {
  const params = members?.get('params')
  const meta = params?.members?.get('_meta')
  const isRequest = members?.has('method') === true && members.has('id')
  const isSaid = [...(meta?.members?.keys() ?? [])].some((name) => looksLike(name, CALLER_KEY))
  if (meta !== undefined && isSaid) return [replaceMembers(text, meta, isRequest ? [member] : [])]
  if (!isRequest) return []
  if (meta !== undefined) return [insertMembers(meta, member)]
  if (params !== undefined) return [insertMembers(params, `"_meta":{${member}}`)]
  return [{ start: end - 1, end: end - 1, text: `,"params":{"_meta":{${member}}}` }]
}

/** An object with ours in the place of what looks like it. */
function replaceMembers(text: string, { start, end, members }: Outline, ours: readonly string[]): Edit {
  const kept = [...(members ?? [])]
    .filter(([name]) => !looksLike(name, CALLER_KEY))
    .map(([name, value]) => `${JSON.stringify(name)}:${text.slice(value.start, value.end)}`)
  return { start, end, text: `{${[...ours, ...kept].join(',')}}` }
}
