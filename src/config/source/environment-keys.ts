import { findNearest } from '../../core/nearest-word.ts'
import { ConfigError, type ConfigPath, type Mistake, type Problem, problemAt } from '../problem/problem.ts'
import { describeSchema, findNode, listTypes, resolveNode, type SchemaNode } from '../schema/json-schema.ts'
import { configSchema } from '../schema/schema.ts'
import { dropFinalLineBreak } from './final-line-break.ts'
import { isWithin, type Override } from './overrides.ts'
import { readYaml } from './yaml-text.ts'

/** Variables whose names begin like this say a key of the configuration. */
const PREFIX = 'OMAP_'

/** Between the names of keys, one within the other: keys have single underscores themselves. */
const BETWEEN = '__'

/** No list of the configuration is longer, and a larger number is a slip. */
const ITEM = /^(?:0|[1-9]\d{0,3})$/

/**
 * The keys of the configuration that environment variables say: `OMAP_LISTEN__PORT` is `listen.port`, `OMAP_SERVERS__0__PATH` is
 * `servers[0].path`. Empty variables say nothing. A key that names a secret takes the secret itself.
 *
 * @param env - the environment
 * @param written - the configuration; a variable that it names as a secret's may have any name
 * @throws ConfigError with every variable that is no key, or says the same as another; no value is repeated
 */
export function readEnvironmentKeys(env: Readonly<Record<string, string | undefined>>, written: unknown): readonly Override[] {
  const given = Object.entries(env).filter(([name, text]) => isMeant(name) && text !== undefined && text.trim() !== '')
  // Describing the schema takes longer than all the rest.
  if (given.length === 0) return []
  const root = describeSchema(configSchema)
  const secrets = listNamedVariables(written)
  const problems: Problem[] = []
  const overrides = given.flatMap(([name, text = '']) => {
    const reading = readKey(name, text, root)
    if (reading.kind === 'key') return [reading.override]
    if (reading.kind === 'mistake' || !secrets.has(name)) problems.push(problemOf(name, reading.mistake))
    return []
  })
  problems.push(...findTwice(overrides))
  if (problems.length > 0) throw new ConfigError(problems)
  return overrides
}

/** In another case it says nothing, which its author must learn. */
function isMeant(name: string): boolean {
  return name.toUpperCase().startsWith(PREFIX)
}

function problemOf(name: string, mistake: Mistake): Problem {
  return { ...problemAt([name], mistake), path: name }
}

type Reading =
  | { readonly kind: 'key'; readonly override: Override }
  | { readonly kind: 'unknown' | 'mistake'; readonly mistake: Mistake }

function readKey(name: string, text: string, root: SchemaNode): Reading {
  const at = name.startsWith(PREFIX) ? findPlace(root, [], name.slice(PREFIX.length).split(BETWEEN)) : undefined
  if (at === undefined) return { kind: 'unknown', mistake: explainUnknown(name, root) }
  try {
    return { kind: 'key', override: { at, value: readValue(name, text, root, at), name } }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return { kind: 'mistake', mistake: { reason: 'is not YAML', fix: 'Write a list as [a, b], and a block as { key: value }.' } }
  }
}

/** Keys are found whatever the case; names that the operator chose, such as those of headers, are taken as they are. */
function findPlace(root: SchemaNode, at: ConfigPath, [segment, ...rest]: readonly string[]): ConfigPath | undefined {
  if (segment === undefined) return at
  const found = findNode(root, at)
  const container = found && resolveNode(root, found)
  const key = container && findSegment(container, segment)
  const place = key === undefined ? undefined : findPlace(root, [...at, key], rest)
  if (place !== undefined || !isChosen(container) || segment === '') return place
  // What is no key below such a name belongs to the name: variables of programs have two underscores in theirs.
  const [next, ...others] = rest
  return next === undefined ? undefined : findPlace(root, at, [segment + BETWEEN + next, ...others])
}

/** Whether the operator chooses the names of its members. */
function isChosen(container: SchemaNode | undefined): boolean {
  return typeof container?.additionalProperties === 'object'
}

function findSegment({ properties, additionalProperties, items }: SchemaNode, segment: string): string | number | undefined {
  if (items !== undefined) return ITEM.test(segment) ? Number(segment) : undefined
  const key = Object.keys(properties ?? {}).find((own) => own === segment.toLowerCase())
  if (key !== undefined) return key
  return typeof additionalProperties === 'object' && segment !== '' ? segment : undefined
}

function readValue(name: string, text: string, root: SchemaNode, at: ConfigPath): unknown {
  const node = findNode(root, at)
  const whole = node && resolveNode(root, node)
  if (whole !== undefined && whole === root.definitions?.Secret) return { env: name }
  const types = node === undefined ? new Set<string>() : listTypes(root, node)
  const isText = types.has('string')
  if (isText && !types.has('array') && !types.has('object')) return dropFinalLineBreak(text)
  const value = isText ? readYamlOrText(text) : readYaml(text).value
  if (!isText || (typeof value === 'object' && value !== null)) return value
  return whole && mayBeSecret(whole) ? { env: name } : dropFinalLineBreak(text)
}

/** A header of an MCP server or a variable of a process is a secret, or none (`text`). Taken for one, it is shown nowhere. */
function mayBeSecret({ properties = {} }: SchemaNode): boolean {
  return properties.text !== undefined && properties.env !== undefined
}

/** What may be a text need not be YAML. */
function readYamlOrText(text: string): unknown {
  try {
    return readYaml(text).value
  } catch (error) {
    if (error instanceof ConfigError) return text
    throw error
  }
}

function findTwice(overrides: readonly Override[]): Problem[] {
  return overrides.flatMap(({ at, name }, index) => {
    const other = overrides.find(
      (one, place) => place !== index && isWithin(at, one.at) && (at.length > one.at.length || place < index),
    )
    if (other === undefined) return []
    return [problemOf(name, { reason: `says the same as ${other.name}, or a part of it`, fix: 'Set one of the two.' })]
  })
}

function explainUnknown(name: string, root: SchemaNode): Mistake {
  const nearest = findNearest(name.toUpperCase(), listNames(root, root, [], 0))
  return {
    reason: 'is not a key of the configuration',
    fix:
      nearest === undefined
        ? `Unset it. ${PREFIX} stands before the name of a key, and ${BETWEEN} between the levels: OMAP_LISTEN__PORT is listen.port.`
        : `Did you mean ${nearest}?`,
  }
}

const MAX_DEPTH = 6

/** The names of variables for every key, items of lists by the first one. */
function listNames(root: SchemaNode, node: SchemaNode, at: readonly string[], depth: number): string[] {
  const { properties = {}, items } = resolveNode(root, node)
  const own = at.length === 0 ? [] : [PREFIX + at.join(BETWEEN)]
  if (depth === MAX_DEPTH) return own
  const within: readonly (readonly [string, SchemaNode])[] = items === undefined ? Object.entries(properties) : [['0', items]]
  return [...own, ...within.flatMap(([key, member]) => listNames(root, member, [...at, key.toUpperCase()], depth + 1))]
}

/** Variables that a configuration names itself: `{ env: NAME }`. */
function listNamedVariables(value: unknown): ReadonlySet<string> {
  if (typeof value !== 'object' || value === null) return new Set()
  const own = 'env' in value && typeof value.env === 'string' ? [value.env] : []
  return new Set([...own, ...Object.values(value).flatMap((member) => [...listNamedVariables(member)])])
}
