/** A part of a text that is replaced. */
export interface TextEdit {
  readonly start: number
  /** Index behind the last character that goes. */
  readonly end: number
  readonly text: string
}

/** Where an item of an array stands. */
interface Span {
  readonly start: number
  readonly end: number
}

/**
 * The edits that take items out of an array in JSON, each with one comma. What stays is not touched.
 *
 * @param items - all of the array, in their order
 * @param stays - whether an item stays
 */
export function removeItems<Item extends Span>(items: readonly Item[], stays: (item: Item) => boolean): TextEdit[] {
  const edits: TextEdit[] = []
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

/** @param edits - that do not overlap */
export function applyEdits(text: string, edits: readonly TextEdit[]): string {
  let edited = ''
  let from = 0
  for (const edit of [...edits].sort((one, other) => one.start - other.start)) {
    edited += text.slice(from, edit.start) + edit.text
    from = edit.end
  }
  return edited + text.slice(from)
}
