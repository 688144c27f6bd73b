/**
 * A backtracking matcher that counts its steps: JavaScript's own tells nobody how far it read. It knows as much of regular expressions as
 * ours use, and takes the same ways in the same order.
 */
export interface Steps {
  readonly matches: readonly string[]
  readonly steps: number
}

interface State {
  readonly text: string
  readonly captures: Map<string, [number, number]>
  steps: number
  readonly most: number
}

/** Tries to match at a place, and goes on with what follows; the end of the match, or -1. */
type Matcher = (state: State, at: number, next: (at: number) => number) => number

/**
 * Finds all matches of a global expression, as `String.prototype.match` does.
 *
 * @param most - steps after which it gives up
 */
export function countSteps(expression: RegExp, text: string, most = Number.POSITIVE_INFINITY): Steps {
  const match = compile(expression)
  const matches: string[] = []
  let steps = 0
  for (let at = 0; at <= text.length; ) {
    const state: State = { text, captures: new Map(), steps: 0, most: most - steps }
    const end = match(state, at, (behind) => behind)
    steps += state.steps + 1
    if (steps > most) break
    if (end >= 0) matches.push(text.slice(at, end))
    // It goes on where it last ended, or not at all.
    else if (expression.sticky) break
    at = end > at ? end : at + 1
  }
  return { matches, steps }
}

const compiled = new Map<string, Matcher>()

function compile(expression: RegExp): Matcher {
  const { source, ignoreCase, dotAll } = expression
  const match = compiled.get(String(expression)) ?? new Parser(source, ignoreCase, dotAll).parse()
  compiled.set(String(expression), match)
  return match
}

type Test = (character: string) => boolean

const controls: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', f: '\f', v: '\v', '0': '\0' }
const classes: Readonly<Record<string, RegExp>> = { d: /\d/, w: /\w/, s: /\s/, D: /\D/, W: /\W/, S: /\S/ }

class Parser {
  readonly #source: string
  readonly #ignoreCase: boolean
  readonly #dotAll: boolean
  #at = 0
  #groups = 0

  constructor(source: string, ignoreCase: boolean, dotAll: boolean) {
    this.#source = source
    this.#dotAll = dotAll
    this.#ignoreCase = ignoreCase
  }

  parse(): Matcher {
    const all = this.#alternatives()
    if (this.#at < this.#source.length) throw new Error(`unknown: ${this.#source.slice(this.#at)}`)
    return all
  }

  #take(text: string): boolean {
    if (!this.#source.startsWith(text, this.#at)) return false
    this.#at += text.length
    return true
  }

  #alternatives(): Matcher {
    const ways = [this.#sequence()]
    while (this.#take('|')) ways.push(this.#sequence())
    return (state, at, next) => {
      for (const way of ways) {
        const end = way(state, at, next)
        if (end >= 0) return end
      }
      return -1
    }
  }

  #sequence(): Matcher {
    const parts: Matcher[] = []
    while (this.#at < this.#source.length && !'|)'.includes(this.#source.charAt(this.#at))) parts.push(this.#quantified())
    return (state, at, next) => {
      const from = (index: number, here: number): number =>
        index === parts.length ? next(here) : (parts[index] as Matcher)(state, here, (behind) => from(index + 1, behind))
      return from(0, at)
    }
  }

  #quantified(): Matcher {
    const atom = this.#atom()
    const [least, most] = this.#bounds()
    if (least === 1 && most === 1) return atom
    return repeat(atom, least, most, this.#take('?'))
  }

  #bounds(): [number, number] {
    if (this.#take('*')) return [0, Number.POSITIVE_INFINITY]
    if (this.#take('+')) return [1, Number.POSITIVE_INFINITY]
    if (this.#take('?')) return [0, 1]
    const braces = /^\{(\d+)(,?)(\d*)\}/.exec(this.#source.slice(this.#at))
    if (!braces) return [1, 1]
    this.#at += braces[0].length
    const least = Number(braces[1])
    if (braces[2] === '') return [least, least]
    return [least, braces[3] === '' ? Number.POSITIVE_INFINITY : Number(braces[3])]
  }

  #atom(): Matcher {
    if (this.#take('(')) return this.#group()
    if (this.#take('[')) return one(this.#characterClass())
    if (this.#take('\\k<')) return backReference(this.#name())
    if (this.#take('\\b')) return boundary
    if (this.#take('^')) return (_state, at, next) => (at === 0 ? next(at) : -1)
    if (this.#take('$')) return ({ text }, at, next) => (at === text.length ? next(at) : -1)
    if (this.#take('.')) return one((character) => this.#dotAll || !/[\n\r\u2028\u2029]/.test(character))
    return one(this.#character())
  }

  #name(): string {
    const end = this.#source.indexOf('>', this.#at)
    const name = this.#source.slice(this.#at, end)
    this.#at = end + 1
    return name
  }

  #group(): Matcher {
    const look = ['?=', '?!', '?<=', '?<!'].find((kind) => this.#take(kind))
    const name = look || this.#take('?:') ? undefined : this.#take('?<') ? this.#name() : String(++this.#groups)
    const inner = this.#alternatives()
    if (!this.#take(')')) throw new Error('group without an end')
    if (look !== undefined) return lookAround(look, inner)
    if (name === undefined) return inner
    return (state, at, next) =>
      inner(state, at, (behind) => {
        state.captures.set(name, [at, behind])
        return next(behind)
      })
  }

  #characterClass(): Test {
    const isNegated = this.#take('^')
    const tests: Test[] = []
    while (!this.#take(']')) tests.push(this.#range())
    return (character) => tests.some((test) => test(character)) !== isNegated
  }

  #range(): Test {
    const start = this.#literal()
    if (typeof start !== 'string') return start
    const isRange = this.#source.charAt(this.#at) === '-' && this.#source.charAt(this.#at + 1) !== ']'
    if (!isRange) return this.#same((character) => character === start)
    this.#at++
    const end = this.#literal() as string
    return this.#same((character) => character >= start && character <= end)
  }

  #character(): Test {
    const literal = this.#literal()
    return typeof literal === 'string' ? this.#same((character) => character === literal) : literal
  }

  #same(test: Test): Test {
    if (!this.#ignoreCase) return test
    return (character) => test(character.toLowerCase()) || test(character.toUpperCase())
  }

  #literal(): string | Test {
    const character = this.#source.charAt(this.#at++)
    if (character !== '\\') return character
    const escaped = this.#source.charAt(this.#at++)
    const known = classes[escaped]
    if (known) return (one) => known.test(one)
    if (escaped === 'p') return this.#property()
    const digits = { u: 4, x: 2 }[escaped]
    if (digits === undefined) return controls[escaped] ?? escaped
    this.#at += digits
    return String.fromCharCode(Number.parseInt(this.#source.slice(this.#at - digits, this.#at), 16))
  }

  #property(): Test {
    const end = this.#source.indexOf('}', this.#at) + 1
    const property = new RegExp(`\\p${this.#source.slice(this.#at, end)}`, 'u')
    this.#at = end
    return (one) => property.test(one)
  }
}

function one(test: Test): Matcher {
  return (state, at, next) => {
    if (state.steps++ > state.most) return -1
    return at < state.text.length && test(state.text.charAt(at)) ? next(at + 1) : -1
  }
}

function repeat(atom: Matcher, least: number, most: number, isLazy: boolean): Matcher {
  const from = (state: State, count: number, at: number, next: (at: number) => number): number => {
    const more = (): number =>
      count < most ? atom(state, at, (behind) => (behind === at ? -1 : from(state, count + 1, behind, next))) : -1
    if (count < least) return more()
    const [first, second] = isLazy ? [() => next(at), more] : [more, () => next(at)]
    const end = first()
    return end >= 0 ? end : second()
  }
  return (state, at, next) => from(state, 0, at, next)
}

const boundary: Matcher = (state, at, next) => {
  state.steps++
  const isWord = (index: number): boolean => /\w/.test(state.text.charAt(index))
  return (at > 0 && isWord(at - 1)) === isWord(at) ? -1 : next(at)
}

function backReference(name: string): Matcher {
  return (state, at, next) => {
    const [start = 0, end = 0] = state.captures.get(name) ?? []
    state.steps += end - start
    const piece = state.text.slice(start, end)
    return state.text.startsWith(piece, at) ? next(at + piece.length) : -1
  }
}

/** Behind: for what is one character long. */
function lookAround(kind: string, inner: Matcher): Matcher {
  const isBehind = kind.includes('<')
  const isNegated = kind.endsWith('!')
  return (state, at, next) => {
    const from = isBehind ? at - 1 : at
    const found = from >= 0 && inner(state, from, (behind) => (isBehind && behind !== at ? -1 : behind)) >= 0
    return found === isNegated ? -1 : next(at)
  }
}
