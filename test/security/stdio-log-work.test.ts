// Attack family S: what a stdio server says is made to cost more work the longer it is.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../src/core/clock.ts'
import { ChildLog, LOG_EXPRESSIONS } from '../../src/upstream/stdio/process/stderr-log.ts'
import { countSteps } from '../support/regexp-steps.ts'

const pieces = [
  'eyJ',
  'eyJ-',
  'eyJabcde',
  '-',
  '.',
  'a',
  ' ',
  '\t',
  'Bearer ',
  'Basic',
  '\u001b',
  '\u001b[',
  '\u001b[0',
  '0',
  '!',
  '=',
]
/** Everything that is a piece or two, again and again, with every piece for its end. */
const pumps = [...pieces, ...pieces.flatMap((first) => pieces.map((second) => first + second))]
const repeat = (pump: string, characters: number) => pump.repeat(Math.ceil(characters / pump.length))

describe('the steps that are counted', () => {
  it.each(Object.entries(LOG_EXPRESSIONS))('are those of the way to what JavaScript finds, too: %s', (_name, expression) => {
    const texts = fc.array(fc.constantFrom(...pieces), { maxLength: 12 })
    fc.assert(
      fc.property(texts, (parts) => {
        const text = parts.join('')
        expect(countSteps(expression, text).matches).toEqual(text.match(expression) ?? [])
      }),
    )
  })

  it('are four times as many for twice the input where an expression begins anew everywhere', () => {
    const quadratic = /\beyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*/g
    const steps = (characters: number) => countSteps(quadratic, repeat('eyJ-', characters)).steps
    expect(steps(800) / steps(400)).toBeGreaterThan(3.5)
  })
})

describe('a line of a server, twice as long', () => {
  it.each(Object.entries(LOG_EXPRESSIONS))('is at most 2.2 times the work: %s', (_name, expression) => {
    for (const pump of pumps)
      for (const end of ['', '!', '.']) {
        const steps = (characters: number) => countSteps(expression, repeat(pump, characters) + end).steps
        expect(steps(400) / steps(200), JSON.stringify(pump + end)).toBeLessThanOrEqual(2.2)
      }
  })
})

describe('a flood of lines', () => {
  it('is not looked at beyond what the log takes', () => {
    const { controls } = LOG_EXPRESSIONS
    let looks = 0
    const count = (text: string) => {
      looks++
      return text
    }
    Object.defineProperty(controls, Symbol.replace, { value: count, configurable: true })
    const written: string[] = []
    const log = new ChildLog({ clock: systemClock, onLine: (line) => written.push(line), secrets: [] })
    for (let i = 0; i < 5000; i++) log.note(`line ${i}`)
    Reflect.deleteProperty(controls, Symbol.replace)
    expect(written.length).toBeLessThan(400)
    expect(looks).toBe(written.length)
  })

  it('is read for some milliseconds in one turn of the event loop, and the rest in the next ones', () => {
    let now = 0
    const clock = { ...systemClock, monotonic: () => now++ }
    const log = new ChildLog({ clock, onLine: () => undefined, secrets: [] })
    let rest: Buffer = Buffer.from(Array.from({ length: 100 }, (_, i) => `line ${i}\n`).join(''))
    let turns = 0
    for (; rest.length > 0; turns++) rest = log.push(rest)
    expect(turns).toBeGreaterThan(20)
    expect(log.tail()).toBe(Array.from({ length: 10 }, (_, i) => `line ${90 + i}`).join('\n'))
  })
})
