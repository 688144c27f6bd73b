import { ProxyError } from '../../core/errors.ts'
import type { ActionInput } from '../admin-action.ts'

/** What a member of an action's input may be. */
const CHECKS: Readonly<Record<MemberKind, (value: unknown) => boolean>> = {
  text: (value: unknown) => typeof value === 'string' && value !== '' && value.length <= 2048,
  flag: (value: unknown) => typeof value === 'boolean',
  count: (value: unknown) => Number.isSafeInteger(value) && Number(value) > 0,
  texts: (value: unknown) => Array.isArray(value) && value.length <= 100 && value.every((item) => CHECKS.text(item)),
}

interface MemberTypes {
  readonly text: string
  readonly flag: boolean
  readonly count: number
  readonly texts: readonly string[]
}

type MemberKind = keyof MemberTypes

export type Members<Kinds extends Readonly<Record<string, MemberKind>>> = {
  readonly [Name in keyof Kinds]: MemberTypes[Kinds[Name]] | undefined
}

/**
 * Reads the members of an input. All are optional here.
 *
 * @throws ProxyError `admin_input_invalid` for unknown members, and for those of another type
 */
export function readMembers<const Kinds extends Readonly<Record<string, MemberKind>>>(
  input: ActionInput,
  kinds: Kinds,
): Members<Kinds> {
  for (const [name, value] of Object.entries(input)) {
    if (value === undefined) continue
    const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined
    if (kind === undefined) throw invalidInput(`unknown member ${JSON.stringify(name.slice(0, 64))}`)
    if (!CHECKS[kind](value)) throw invalidInput(`${name} is no ${EXPLAINED[kind]}`)
  }
  return Object.fromEntries(Object.keys(kinds).map((name) => [name, input[name]])) as Members<Kinds>
}

const EXPLAINED = {
  text: 'text of 1 to 2048 characters',
  flag: 'truth value',
  count: 'positive whole number',
  texts: 'list of up to 100 texts',
} as const

/** @throws ProxyError `admin_input_invalid` where the member is absent */
export function demand<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw invalidInput(`${name} is missing`)
  return value
}

export function invalidInput(cause: string): ProxyError {
  return new ProxyError('admin_input_invalid', { cause })
}
