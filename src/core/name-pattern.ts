/** Decides whether a name fits a pattern. */
export type MatchName = (name: string) => boolean

/**
 * Compiles the pattern of a tool or prompt name. `*` stands for any characters, also none; everything else for itself. Takes time in
 * proportion to the name, whatever the pattern: no expression that backtracks.
 *
 * @param pattern - for example `delete_*`
 */
export function compileNamePattern(pattern: string): MatchName {
  const [first = '', ...others] = pattern.split('*')
  const last = others.pop()
  if (last === undefined) return (name) => name === pattern
  const middle = others.filter((piece) => piece !== '')
  const shortest = first.length + last.length
  return (name) => {
    if (name.length < shortest || !name.startsWith(first) || !name.endsWith(last)) return false
    return holdsInOrder(name, middle, first.length, name.length - last.length)
  }
}

/** Whether the pieces stand one behind the other between two positions. The earliest place for each leaves the most room for the next. */
function holdsInOrder(name: string, pieces: readonly string[], start: number, end: number): boolean {
  let position = start
  for (const piece of pieces) {
    const found = name.indexOf(piece, position)
    if (found === -1) return false
    position = found + piece.length
  }
  return position <= end
}
