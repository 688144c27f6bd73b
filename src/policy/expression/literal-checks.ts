import { findFact } from './lookups.ts'
import { records } from './names.ts'
import { type Context, refuse } from './program.ts'
import type { Syntax } from './syntax.ts'

type Comparison = Extract<Syntax, { op: '==' | '!=' | 'in' }>

/** What a part of a date may be, in words and as a check; parts of a duration may be anything. */
const fields: Readonly<Record<string, readonly [least: bigint, most: bigint, words: string]>> = {
  getMonth: [0n, 11n, '0 (January) to 11'],
  getDate: [1n, 31n, '1 to 31'],
  getDayOfMonth: [0n, 30n, '0 to 30: getDate begins with 1'],
  getDayOfWeek: [0n, 6n, '0 (Sunday) to 6'],
  getHours: [0n, 23n, '0 to 23'],
  getMinutes: [0n, 59n, '0 to 59'],
  getSeconds: [0n, 59n, '0 to 59'],
}

/**
 * Refuses comparisons with what there never is: `!=` would always hold, as in `now.getDayOfWeek() != 7` for Sundays, and `==` deny all calls.
 *
 * @throws ExpressionError
 */
export function checkLiterals(node: Syntax, context: Context): void {
  if (node.op !== '==' && node.op !== '!=' && node.op !== 'in') return
  const sides = listSides(node)
  for (const [side, literals] of sides) {
    checkField(side, literals)
    checkAddress(side, literals, context)
  }
}

/** Each side that is no literal, with the literals that it is compared with. */
function listSides({ op, args: [left, right] }: Comparison): readonly (readonly [side: Syntax, literals: readonly Syntax[]])[] {
  if (op === 'in') return [[left, right.op === 'list' ? right.args : []]]
  return [
    [left, [right]],
    [right, [left]],
  ]
}

function checkField(side: Syntax, literals: readonly Syntax[]): void {
  if (side.op !== 'rcall' || !isMoment(side.args[1])) return
  const [name] = side.args
  const [least, most, words] = (Object.hasOwn(fields, name) && fields[name]) || NO_FIELD
  const wrong = literals.find(({ op, args }) => op === 'value' && isNumber(args) && (args < least || args > most))
  if (wrong !== undefined) refuse(wrong, `${name} is ${words}`)
}

function isNumber(value: unknown): value is bigint | number {
  return typeof value === 'bigint' || typeof value === 'number'
}

const NO_FIELD = [-(2n ** 63n), 2n ** 63n, ''] as const

/** Differences of times have hours, minutes and seconds, too, and more than a day has. */
function isMoment(node: Syntax): boolean {
  return (node.op === 'id' && node.args === 'now') || (node.op === 'call' && node.args[0] === 'timestamp')
}

function checkAddress(side: Syntax, literals: readonly Syntax[], context: Context): void {
  if (side.op !== '.' || findFact(side, context) !== records.get('request')?.get('address')) return
  const wrong = literals.find(({ op, args }) => op === 'value' && typeof args === 'string' && !/^[\da-f.:]+$/i.test(args))
  if (wrong !== undefined)
    refuse(wrong, "request.address is one address, and never a network: write startsWith('10.1.'), or list the addresses")
}
