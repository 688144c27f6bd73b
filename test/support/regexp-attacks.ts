import { globSync, readFileSync } from 'node:fs'
import { countSteps } from './regexp-steps.ts'

/** A regular expression of ours, and the file that it stands in. */
export interface Found {
  readonly file: string
  readonly expression: RegExp
}

const comment = /^\s*(?:\/\*\*?|\*|\/\/).*$/gm
/** Where a value may stand: behind these a slash begins an expression, and no division. */
const literal = /(?<=(?:^|[=(:,?!&|[]|return|=>)\s*)\/(?![/*])((?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+)\/([dgimsuvy]*)/gm

/** Finds the regular expressions that files are written with. */
export function findExpressions(pattern: string): Found[] {
  return globSync(pattern)
    .filter((file) => !file.includes('.test.'))
    .sort()
    .flatMap((file) => {
      const code = readFileSync(file, 'utf8').replace(comment, '')
      return [...code.matchAll(literal)].map(([, source = '', flags]) => ({ file, expression: new RegExp(source, flags) }))
    })
}

/** Times that a part is repeated: few, since the attacks are many. What grows with the square shows already. */
const repeats = 24
/** Nothing linear takes as many steps for as little. */
const mostSteps = 200_000
const ends = ['', '\u0001', '?']

interface Worst {
  /** How many times the steps twice the input takes. */
  readonly ratio: number
  /** What comes before, what is repeated, what comes behind. */
  readonly input: string
}

/** Of many inputs, the one for which twice as much of it makes for the most work. */
export function findWorstInput(expression: RegExp): Worst {
  const samples = [0, 1, 2].map((choice) => sample(expression, choice))
  const letters = thinOut([...new Set([...samples.join(''), ...'a0 -'])], 8)
  const pairs = letters.flatMap((one) => letters.map((other) => one + other))
  const heads = thinOut([...new Set(samples.flatMap((text) => [...text].map((_, at) => text.slice(0, at + 1)).concat('')))], 10)
  let worst: Worst = { ratio: 0, input: '' }
  for (const pump of [...letters, ...pairs, ...samples.filter((text) => text !== '')])
    for (const head of heads) for (const end of ends) worst = chooseWorse(worst, compare(expression, [head, pump, end]))
  return worst
}

function chooseWorse(one: Worst, other: Worst): Worst {
  return other.ratio > one.ratio ? other : one
}

function compare(expression: RegExp, [head, pump, end]: readonly [string, string, string]): Worst {
  const count = (times: number) => countSteps(expression, head + pump.repeat(times) + end, mostSteps).steps
  const input = JSON.stringify([head, pump, end])
  const once = count(repeats)
  if (once > mostSteps) return { ratio: Number.POSITIVE_INFINITY, input }
  const ratio = count(repeats * 2) / once
  // What may be repeated so many times and no more is behind that with a longer text.
  return { ratio: ratio > 2.2 ? Math.max(1, count(repeats * 8) / count(repeats * 4)) : ratio, input }
}

function thinOut(all: readonly string[], most: number): string[] {
  return all.filter(
    (_, at) => Math.floor((at * most) / all.length) !== Math.floor(((at - 1) * most) / all.length) || all.length <= most,
  )
}

/** Characters of which each class has one. */
const characters = [...'a0A-. /"=%;:\\!@#~\t\n\u0001\u00e9\u0300\u200b']

/**
 * A text that an expression mostly matches.
 *
 * @param choice - which of the ways to take where there are several
 */
function sample({ source }: RegExp, choice: number): string {
  let at = 0
  const take = (text: string): boolean => {
    if (!source.startsWith(text, at)) return false
    at += text.length
    return true
  }
  const readAlternatives = (): string => {
    const ways = [readSequence()]
    while (take('|')) ways.push(readSequence())
    return ways[choice % ways.length] ?? ''
  }
  const readSequence = (): string => {
    let text = ''
    while (at < source.length && !'|)'.includes(source.charAt(at))) text += readQuantified()
    return text
  }
  const readQuantified = (): string => {
    const atom = readAtom()
    const braces = /^\{(\d+)(?:,\d*)?\}/.exec(source.slice(at))
    if (braces) at += braces[0].length
    else if (take('*') || take('+') || take('?')) take('?')
    return atom.repeat(Math.max(1, Number(braces?.[1] ?? 1)))
  }
  const readAtom = (): string => {
    if (take('(')) return readGroup()
    if (take('^') || take('$') || take('\\b')) return ''
    const one =
      /^(?:\[(?:[^\]\\]|\\.)*\]|\\[pP]\{[^}]*\}|\\u[0-9a-f]{4}|\\x[0-9a-f]{2}|\\k<\w+>|\\.|.)/is.exec(source.slice(at))?.[0] ?? ''
    at += one.length
    if (one.startsWith('\\k')) return ''
    const test = new RegExp(`^${one}$`, one.startsWith('\\p') || one.includes('\\p') ? 'u' : '')
    const fitting = [...characters, ...one].filter((character) => test.test(character))
    return fitting[choice % Math.max(1, fitting.length)] ?? ''
  }
  const readGroup = (): string => {
    const look = ['?=', '?!', '?<=', '?<!'].some((kind) => take(kind))
    if (!look && !take('?:') && take('?<')) at = source.indexOf('>', at) + 1
    const inner = readAlternatives()
    take(')')
    return look ? '' : inner
  }
  return readAlternatives()
}
