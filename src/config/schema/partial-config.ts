import type { z } from 'zod'
import type { ConfigPath, Problem } from '../problem/problem.ts'
import { explainIssues, isTypeIssue, listMeantKeys } from './explain-issues.ts'
import { describeSchema } from './json-schema.ts'
import type { KeyAdvice } from './key-hints.ts'

/**
 * A value that may have holes where something of another type was written. Checks that concern several keys run on it, so that their
 * findings are told together with the mistakes that made the holes.
 */
export type PartialConfig<T> = T extends readonly (infer Item)[]
  ? readonly (PartialConfig<Item> | undefined)[]
  : T extends object
    ? { readonly [Key in keyof T]?: PartialConfig<T[Key]> | undefined }
    : T

/** A value held against a schema. */
export interface Parsed<T> {
  /** The value, complete; undefined when the schema found mistakes. */
  readonly value: T | undefined
  readonly partial: PartialConfig<T>
  readonly problems: readonly Problem[]
  /** Whether something at, above or below a place could not be read, so that its absence means nothing. */
  readonly isBroken: (at: ConfigPath) => boolean
}

/**
 * Holds a value against a schema.
 *
 * @param schema - an object schema
 * @param value - anything
 * @param advise - explains unknown keys
 */
export function parsePartially<T>(schema: z.ZodType<T>, value: unknown, advise?: KeyAdvice): Parsed<T> {
  let seen: unknown
  // Runs whatever was found before, and so sees the value with its defaults even when parts of it are wrong.
  const watching = schema.superRefine(
    (current) => {
      seen = current
    },
    { when: () => true },
  )
  const result = watching.safeParse(value)
  if (result.success) return { value: result.data, partial: result.data as PartialConfig<T>, problems: [], isBroken: () => false }
  const { issues } = result.error
  const root = describeSchema(schema)
  const meant = listMeantKeys(issues, root, value)
  const broken = seen === undefined ? [[]] : [...issues.filter(isTypeIssue).map((issue) => issue.path as ConfigPath), ...meant]
  const isMeant = ({ path }: (typeof issues)[number]) => meant.some((key) => isWithin(path as ConfigPath, key))
  return {
    value: undefined,
    partial: broken.reduce(cutOut, structuredClone(seen)) as PartialConfig<T>,
    problems: explainIssues(
      issues.filter((issue) => !isMeant(issue)),
      root,
      value,
      advise,
    ),
    isBroken: (at) => broken.some((path) => isWithin(at, path) || isWithin(path, at)),
  }
}

function isWithin(inner: ConfigPath, outer: ConfigPath): boolean {
  return outer.every((segment, index) => inner[index] === segment)
}

/** Leaves a hole at a place. */
function cutOut(value: unknown, at: ConfigPath): unknown {
  const [segment, ...rest] = at
  if (segment === undefined) return {}
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, segment)) return value
  const container = value as Record<string | number, unknown>
  container[segment] = rest.length === 0 ? undefined : cutOut(container[segment], rest)
  return value
}
