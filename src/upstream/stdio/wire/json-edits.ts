import { applyEdits, replaceAt } from '../../../core/json/json-edits.ts'
import { type Outline, outlineShallow } from '../../../core/json/shallow-outline.ts'

/** The value at a path of member names, if it is there. */
export function findMember(outline: Outline, ...path: string[]): Outline | undefined {
  return path.reduce<Outline | undefined>((at, name) => at?.members?.get(name), outline)
}

/** The text of an object without some of its members. */
export function withoutMembers(text: string, object: Outline, names: ReadonlySet<string>): string {
  const kept: string[] = []
  object.members?.forEach(({ start, end }, name) => {
    if (!names.has(name)) kept.push(`${JSON.stringify(name)}:${text.slice(start, end)}`)
  })
  return `{${kept.join(',')}}`
}

/**
 * Replaces the id of a response. Most libraries write it first or last, where it is found without reading the whole message: the brace at the
 * end closes the message, and before it comes the last member's name and value.
 *
 * @param text - a valid JSON object whose member `id` is `ours`
 */
export function replaceResponseId(text: string, ours: string, theirs: string): string {
  const last = `"id":${ours}}`
  if (text.endsWith(last) && ',{'.includes(text.charAt(text.length - last.length - 1)))
    return `${text.slice(0, text.length - last.length)}"id":${theirs}}`
  const first = `{"jsonrpc":"2.0","id":${ours},`
  if (text.startsWith(first)) return `{"jsonrpc":"2.0","id":${theirs},${text.slice(first.length)}`
  const id = findMember(outlineShallow(text, 1), 'id')
  return id ? applyEdits(text, [replaceAt(id, theirs)]) : text
}
