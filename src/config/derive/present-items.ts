/** The items of a list that could be read, with their places. */
export function entriesOf<T>(list: readonly (T | undefined)[] | undefined): (readonly [index: number, item: T])[] {
  return (list ?? []).flatMap((item, index) => (item === undefined || item === null ? [] : [[index, item] as const]))
}
