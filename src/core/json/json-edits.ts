import type { Outline } from './shallow-outline.ts'

/** A replacement of one part of a text. Everything else stays as it is. */
export interface Edit {
  readonly start: number
  readonly end: number
  /** JSON. */
  readonly text: string
}

/** Replaces the value of an outline. */
export function replaceAt(outline: Outline, text: string): Edit {
  return { start: outline.start, end: outline.end, text }
}

/** Inserts members at the beginning of an object. */
export function insertMembers(object: Outline, members: string): Edit {
  const isEmpty = object.members === undefined || object.members.size === 0
  return { start: object.start + 1, end: object.start + 1, text: isEmpty ? members : `${members},` }
}

/**
 * The edits that take items out of an array in JSON, each with one comma. What stays is not touched.
 *
 * @param items - all of the array, in their order
 * @param stays - whether an item stays
 */
export function removeItems(items: readonly Outline[], stays: (item: Outline) => boolean): Edit[] {
  const edits: Edit[] = []
  /** End of the last item that stays. */
  let kept: number | undefined
  let removedFrom: number | undefined
  for (const item of items) {
    if (!stays(item)) removedFrom ??= item.start
    else {
      if (removedFrom !== undefined) edits.push({ start: removedFrom, end: item.start, text: '' })
      removedFrom = undefined
      kept = item.end
    }
  }
  const last = items.at(-1)
  // Behind the last that stays, the comma before the others goes with them.
  if (removedFrom !== undefined && last) edits.push({ start: kept ?? removedFrom, end: last.end, text: '' })
  return edits
}

/** Applies edits that don't overlap. */
export function applyEdits(text: string, edits: readonly Edit[]): string {
  let result = ''
  let at = 0
  for (const edit of sort(edits)) {
    result += text.slice(at, edit.start) + edit.text
    at = edit.end
  }
  return result + text.slice(at)
}

/**
 * The same for bytes. Where each character is one byte, the text need not be put together and encoded again.
 *
 * @param text - of the bytes, in UTF-8
 */
export function editBytes(bytes: Buffer, text: string, edits: readonly Edit[]): Buffer {
  if (bytes.length !== text.length) return Buffer.from(applyEdits(text, edits))
  const pieces: Buffer[] = []
  let at = 0
  for (const edit of sort(edits)) {
    pieces.push(bytes.subarray(at, edit.start))
    if (edit.text !== '') pieces.push(Buffer.from(edit.text))
    at = edit.end
  }
  return Buffer.concat([...pieces, bytes.subarray(at)])
}

function sort(edits: readonly Edit[]): Edit[] {
  return [...edits].sort((a, b) => a.start - b.start)
}
