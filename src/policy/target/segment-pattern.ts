const SLASH = '/'.charCodeAt(0)
const BITS = 32

/** Sets of positions in the pattern, one bit each: position `i` means that `i` ordinary characters of it are used up. */
type Positions = Int32Array

/** A pattern for following all ways to fit at once, so that none is tried again. */
interface Automaton {
  readonly words: number
  readonly start: Positions
  readonly last: number
  /** Positions at which the next character of the pattern is this one. */
  readonly byCharacter: ReadonlyMap<number, Positions>
  /** Positions with a wildcard: for any character, and for any but a slash as well. */
  readonly atSlash: Positions
  readonly elsewhere: Positions
}

/**
 * Compiles a pattern with `*` (any characters except `/`) and `**` (any characters).
 *
 * @param pattern - what stands for itself, and wildcards
 * @returns how to match, and the steps that a character takes
 */
export function compileSegmentPattern(pattern: string): [(text: string) => boolean, number] {
  const automaton = createAutomaton(pattern)
  return [(text) => run(automaton, text), automaton.words]
}

function createAutomaton(pattern: string): Automaton {
  const characters = pattern.replaceAll('*', '')
  const words = Math.floor(characters.length / BITS) + 1
  const create = (): Positions => new Int32Array(words)
  const [start, atSlash, elsewhere, byCharacter] = [create(), create(), create(), new Map<number, Positions>()]
  let position = 0
  for (const [piece] of pattern.matchAll(/\*+|[^*]/gsu)) {
    if (piece.startsWith('*')) {
      set(elsewhere, position)
      if (piece.length > 1) set(atSlash, position)
      continue
    }
    for (let unit = 0; unit < piece.length; unit++) {
      const code = piece.charCodeAt(unit)
      const positions = byCharacter.get(code) ?? create()
      byCharacter.set(code, set(positions, position++))
    }
  }
  return { words, start: set(start, 0), last: position, byCharacter, atSlash, elsewhere }
}

function set(positions: Positions, position: number): Positions {
  const word = position >> 5
  positions[word] = (positions[word] ?? 0) | (1 << (position & 31))
  return positions
}

function run(automaton: Automaton, text: string): boolean {
  const active = automaton.start.slice()
  for (let at = 0; at < text.length; at++) {
    if (!step(automaton, active, text.charCodeAt(at))) return false
  }
  return ((active[automaton.last >> 5] ?? 0) & (1 << (automaton.last & 31))) !== 0
}

/** Uses up one character. Returns whether any way is left. */
function step({ words, byCharacter, atSlash, elsewhere }: Automaton, active: Positions, code: number): boolean {
  const used = byCharacter.get(code)
  const staying = code === SLASH ? atSlash : elsewhere
  let carry = 0
  let isAlive = 0
  for (let word = 0; word < words; word++) {
    const before = active[word] ?? 0
    const advancing = before & (used?.[word] ?? 0)
    active[word] = (advancing << 1) | carry | (before & (staying[word] ?? 0))
    carry = advancing >>> (BITS - 1)
    isAlive |= active[word] ?? 0
  }
  return isAlive !== 0
}
