import { ConfigError, type ConfigPath, formatPath, type Mistake, type Problem, problemAt } from '../problem/problem.ts'
import { describeSchema, findShorthand } from '../schema/json-schema.ts'
import { configSchema } from '../schema/schema.ts'

/** A value that is said beside the configuration file. */
export interface Override {
  readonly at: ConfigPath
  readonly value: unknown
  /** The flag or environment variable that says it: `--port`, `OMAP_LISTEN__PORT`. */
  readonly name: string
}

/** A configuration with what is said beside it. */
export interface Overridden {
  readonly value: unknown
  readonly applied: readonly Override[]
  /** Variables that count for nothing, since a flag says the same. */
  readonly unused: readonly Override[]
}

/**
 * Puts what is said beside a configuration into it: first environment variables, then flags, so that a flag counts most.
 *
 * @param value - the configuration as it was written; it is not changed
 * @throws ConfigError with each override that has no place in it
 */
export function applyOverrides(value: unknown, variables: readonly Override[], flags: readonly Override[]): Overridden {
  const unused = variables.filter(({ at }) => flags.some((flag) => isWithin(at, flag.at)))
  const applied = [...variables.filter((variable) => !unused.includes(variable)).toSorted(comparePlaces), ...flags]
  const problems: Problem[] = []
  const result = applied.reduce((current, override) => {
    const set = setAt(current, override.at, override.value, [])
    if (set.kind === 'set') return set.value
    problems.push({ ...problemAt([override.name], set.mistake), path: override.name })
    return current
  }, value)
  if (problems.length > 0) throw new ConfigError(problems)
  return { value: result, applied, unused }
}

/** Whether a place is another one, or in it. */
export function isWithin(inner: ConfigPath, outer: ConfigPath): boolean {
  return outer.every((segment, index) => inner[index] === segment)
}

/**
 * Does something with an overridden configuration. Mistakes in what was said beside the file are told under the name of the flag or
 * variable: the file holds another value there, or none.
 */
export function withOverrideNames<T>({ applied }: Pick<Overridden, 'applied'>, use: () => T): T {
  try {
    return use()
  } catch (error) {
    throw error instanceof ConfigError ? new ConfigError(error.problems.map((problem) => rename(problem, applied))) : error
  }
}

function rename(problem: Problem, applied: readonly Override[]): Problem {
  const override = applied.findLast(({ at }) => isWithin(problem.at, at))
  if (override === undefined) return problem
  // A flag has one plain value, whatever it stands for in the configuration.
  const rest = override.name.startsWith('-') ? [] : problem.at.slice(override.at.length)
  return { ...problem, at: [override.name], path: rest.length === 0 ? override.name : `${override.name}: ${formatPath(rest)}` }
}

/** Items of a list in their order, so that each is put behind the one before it. A total order: the environment has none that could be kept. */
function comparePlaces({ at: one }: Override, { at: other }: Override): number {
  for (const [index, segment] of one.entries()) {
    const beside = other[index]
    if (segment === beside) continue
    if (typeof segment === 'number' && typeof beside === 'number') return segment - beside
    return beside === undefined || String(segment) > String(beside) ? 1 : -1
  }
  return one.length - other.length
}

type Setting = { readonly kind: 'set'; readonly value: unknown } | { readonly kind: 'misplaced'; readonly mistake: Mistake }

/** @param path - of the container */
function setAt(container: unknown, [segment, ...rest]: ConfigPath, value: unknown, path: ConfigPath): Setting {
  if (segment === undefined) return { kind: 'set', value }
  const place = { path, segment, rest }
  return typeof segment === 'number'
    ? setItem(container, { ...place, segment }, value)
    : setMember(writeOut(container, path), { ...place, segment }, value)
}

/** Where something is put, seen from a container on the way there. */
interface Place<Segment> {
  readonly path: ConfigPath
  readonly segment: Segment
  readonly rest: ConfigPath
}

/** A text that stands for a block with one key is that block, so that others can be put beside it. */
function writeOut(container: unknown, path: ConfigPath): unknown {
  if (typeof container !== 'string') return container
  const key = findShorthand(describeSchema(configSchema), path)
  return key === undefined ? container : { [key]: container }
}

function setItem(container: unknown, { path, segment, rest }: Place<number>, value: unknown): Setting {
  const items: readonly unknown[] | undefined = container === undefined || container === null ? [] : asList(container)
  if (items === undefined) return misplaced('is an item of a list, and the file has something else there', 'Say the whole list.')
  if (segment > items.length)
    return misplaced(`is item ${segment} of a list of ${items.length}`, 'Items are counted from 0, without gaps.')
  const set = setAt(items[segment], rest, value, [...path, segment])
  return set.kind === 'set' ? { kind: 'set', value: items.toSpliced(segment, 1, set.value) } : set
}

function asList(container: unknown): readonly unknown[] | undefined {
  return Array.isArray(container) ? container : undefined
}

function setMember(container: unknown, { path, segment, rest }: Place<string>, value: unknown): Setting {
  if (container !== undefined && container !== null && (typeof container !== 'object' || Array.isArray(container)))
    return misplaced(
      `is a key of a block, and the file has ${Array.isArray(container) ? 'a list' : 'a single value'} there`,
      'Write the block with its keys in the file, or say it whole.',
    )
  const members = (container ?? {}) as Readonly<Record<string, unknown>>
  const set = setAt(Object.hasOwn(members, segment) ? members[segment] : undefined, rest, value, [...path, segment])
  return set.kind === 'set' ? { kind: 'set', value: { ...members, [segment]: set.value } } : set
}

function misplaced(reason: string, fix: string): Setting {
  return { kind: 'misplaced', mistake: { reason, fix } }
}
