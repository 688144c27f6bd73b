import { spend, type Work } from '../work.ts'
import { splitUri } from './uri-shape.ts'
import { authorityBlindSteps, joinAuthority, type Step } from './uri-steps.ts'

/** An ordinary URI has fewer than twenty. */
const MAX_READINGS = 256
/** All steps together look at a character about as often, and take as long for a reading as for so many characters. */
const WORK_PER_CHARACTER = 12
const CHARACTERS_PER_READING = 32
/** The further a URI is from plain, the more its steps find to do. */
const CHARACTERS_PER_FURTHER_READING = 12

/** Whether an opener may be expected to look at this authority. */
export type IsTold = (scheme: string, authority: string) => boolean

/**
 * What a text may be read as: what the steps make of it, each of every result. Openers that take the authority for the beginning of a
 * path, and those that ignore it, come last, and never both: the one would make an authority of what the other left.
 *
 * @param text - a URI, or the pattern of one
 * @param steps - what openers do
 * @param isTold - authorities that are not ignored
 * @param work - what this may still cost
 * @returns the text first; undefined when that is too much
 */
export function collectReadings(text: string, steps: readonly Step[], isTold: IsTold, work: Work): readonly string[] | undefined {
  const found = new Set([text])
  addClosure(found, found, steps, work)
  const plain = [...found]
  const joined = applyAll(plain, [joinAuthority])
  const pathsAlone = applyAll(
    plain.filter((reading) => !isToldOf(reading, isTold)),
    authorityBlindSteps,
  )
  addClosure(found, joined, [...steps, joinAuthority], work)
  addClosure(found, pathsAlone, steps, work)
  return isTooMuch(found, work) ? undefined : [...found]
}

function addClosure(found: Set<string>, starts: Iterable<string>, steps: readonly Step[], work: Work): void {
  const added = new Set([...starts].filter((reading) => starts === found || !found.has(reading)))
  for (const reading of added) {
    found.add(reading)
    spend(work, (reading.length + CHARACTERS_PER_READING + CHARACTERS_PER_FURTHER_READING * found.size) * WORK_PER_CHARACTER)
    if (isTooMuch(found, work)) return
    const shape = splitUri(reading)
    for (const step of steps) {
      const next = step(reading, shape)
      if (!found.has(next)) added.add(next)
    }
  }
}

function isTooMuch(found: ReadonlySet<string>, { left }: Work): boolean {
  return found.size > MAX_READINGS || left < 0
}

function applyAll(readings: readonly string[], steps: readonly Step[]): readonly string[] {
  return readings.flatMap((reading) => steps.map((step) => step(reading, splitUri(reading))))
}

function isToldOf(reading: string, isTold: IsTold): boolean {
  const { scheme, authority } = splitUri(reading)
  return scheme !== undefined && scheme !== 'file' && authority !== undefined && isTold(scheme, authority)
}
