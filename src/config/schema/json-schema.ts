import { z } from 'zod'
import { configSchema } from './schema.ts'

/** The part of JSON Schema (draft 7, which editors know best) that our schemas are made of. */
export interface SchemaNode {
  readonly $ref?: string
  readonly title?: string
  readonly description?: string
  readonly type?: string
  readonly enum?: readonly string[]
  readonly default?: unknown
  readonly minimum?: number
  readonly maximum?: number
  readonly minItems?: number
  readonly properties?: Readonly<Record<string, SchemaNode>>
  readonly required?: readonly string[]
  readonly items?: SchemaNode
  readonly additionalProperties?: boolean | SchemaNode
  readonly anyOf?: readonly SchemaNode[]
  readonly allOf?: readonly SchemaNode[]
  readonly definitions?: Readonly<Record<string, SchemaNode>>
}

/** The JSON Schema of the configuration file, for editors and for `docs/`. */
export function createJsonSchema(): SchemaNode {
  return { ...describeSchema(configSchema), title: 'Open MCP Auth Proxy' }
}

const described = new WeakMap<z.ZodType, SchemaNode>()

/** The JSON Schema of what may be written for a schema: keys with a default can be left out, shorthands can be used. Made once. */
export function describeSchema(schema: z.ZodType): SchemaNode {
  const known = described.get(schema)
  if (known) return known
  const node = makeNode(schema)
  described.set(schema, node)
  return node
}

function makeNode(schema: z.ZodType): SchemaNode {
  return z.toJSONSchema(schema, {
    target: 'draft-7',
    // `input` would describe a shorthand by nothing at all: what stands behind it is what people write.
    io: 'output',
    override: ({ zodSchema, jsonSchema }) => {
      if (zodSchema instanceof z.ZodObject) keepRequired(zodSchema, jsonSchema)
      const meta = zodSchema instanceof z.ZodType ? zodSchema.meta() : undefined
      if (meta?.shorthand !== undefined) addShorthand(jsonSchema, String(meta.shorthand))
      if (meta?.listed !== undefined) addList(jsonSchema, String(meta.listed))
      delete jsonSchema.literal
    },
  }) as SchemaNode
}

type MutableNode = Record<string, unknown>

/** Leaves only those keys required that have no default. */
function keepRequired(schema: z.ZodObject, node: MutableNode): void {
  const required = Object.entries(schema.shape).filter(([, value]) => !z.safeParse(value, undefined).success)
  delete node.required
  if (required.length > 0) node.required = required.map(([key]) => key)
}

/** Lets a list of strings stand for an object. */
function addList(node: MutableNode, description: string): void {
  const { description: whole, listed: _, ...object } = node
  for (const name of Object.keys(node)) delete node[name]
  node.anyOf = [{ type: 'array', items: { type: 'string' }, description }, object]
  if (whole !== undefined) node.description = whole
}

/** Lets a string stand for an object with one key, or for something else that is said in a sentence. */
function addShorthand(node: MutableNode, key: string): void {
  const { $ref, allOf, description, ...rest } = node
  for (const name of Object.keys(node)) delete node[name]
  const { type, items, minItems } = rest
  const whole = $ref !== undefined ? { $ref } : allOf !== undefined ? { allOf } : { type, items, minItems }
  node.anyOf = [{ type: 'string', description: key.includes(' ') ? key : `Shorthand for { ${key}: … }.` }, whole]
  if (description !== undefined) node.description = description
}

/** The key that a text stands for where a block can be written, as {@link addShorthand} says it; undefined where there is none. */
export function findShorthand(root: SchemaNode, at: readonly (string | number)[]): string | undefined {
  const [text] = findNode(root, at)?.anyOf ?? []
  return /^Shorthand for \{ (\w+): … \}\.$/.exec(text?.description ?? '')?.[1]
}

/** What a schema says about a place: a key of an object, an item of a list. Undefined where nothing is known. */
export function findNode(root: SchemaNode, at: readonly (string | number)[]): SchemaNode | undefined {
  let node: SchemaNode | undefined = root
  for (const segment of at) {
    const container: SchemaNode | undefined = node && resolveNode(root, node)
    node = typeof segment === 'number' ? container?.items : findMember(container, segment)
  }
  return node
}

/** Follows references and shorthands to the node that says what keys there are. */
export function resolveNode(root: SchemaNode, node: SchemaNode): SchemaNode {
  const next = node.allOf?.[0] ?? node.anyOf?.at(-1)
  if (next) return resolveNode(root, next)
  if (node.$ref === undefined) return node
  const target = root.definitions?.[node.$ref.replace('#/definitions/', '')]
  return target ? resolveNode(root, target) : node
}

/** The types that may be written at a place: `string` beside `object` where there is a shorthand. */
export function listTypes(root: SchemaNode, node: SchemaNode): ReadonlySet<string> {
  const { type, anyOf = [], allOf = [], $ref } = node
  const own = type === undefined ? (node.enum === undefined ? [] : ['string']) : [type]
  const target = $ref === undefined ? undefined : root.definitions?.[$ref.replace('#/definitions/', '')]
  const parts = [...anyOf, ...allOf, ...(target === undefined ? [] : [target])]
  return new Set([...own, ...parts.flatMap((part) => [...listTypes(root, part)])])
}

function findMember(container: SchemaNode | undefined, key: string): SchemaNode | undefined {
  const properties = container?.properties
  if (properties && Object.hasOwn(properties, key)) return properties[key]
  return typeof container?.additionalProperties === 'object' ? container.additionalProperties : undefined
}
