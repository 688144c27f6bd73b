/** As much of JSON Schema as our schema of audit records uses. */
interface Schema {
  readonly $ref?: string
  readonly $defs?: Readonly<Record<string, Schema>>
  readonly oneOf?: readonly Schema[]
  readonly type?: string
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly pattern?: string
  readonly items?: Schema
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | Schema
}

const KNOWN = new Set([
  ...['$schema', '$id', '$ref', '$defs', 'title', 'description', 'oneOf', 'type', 'const', 'enum', 'pattern', 'items'],
  ...['properties', 'required', 'additionalProperties'],
])

/** What is wrong with a value, by a schema; empty where nothing is. @throws Error for a keyword that is not known here */
export function findSchemaMistakes(root: Schema, value: unknown): string[] {
  return check(root, value, '', root)
}

function check(schema: Schema, value: unknown, at: string, root: Schema): string[] {
  const unknown = Object.keys(schema).filter((keyword) => !KNOWN.has(keyword))
  if (unknown.length > 0) throw new Error(`keywords of the schema that are not known here: ${unknown}`)
  if (schema.$ref !== undefined) return check(root.$defs?.[schema.$ref.slice('#/$defs/'.length)] as Schema, value, at, root)
  if (schema.oneOf !== undefined) return checkOneOf(schema.oneOf, value, at, root)
  return [...checkValue(schema, value, at), ...checkParts(schema, value, at, root)]
}

function checkOneOf(schemas: readonly Schema[], value: unknown, at: string, root: Schema): string[] {
  const results = schemas.map((schema) => check(schema, value, at, root))
  const fitting = results.filter(({ length }) => length === 0).length
  if (fitting === 1) return []
  return fitting > 1
    ? [`${at}: fits ${fitting} alternatives`]
    : (results.toSorted((one, other) => one.length - other.length)[0] ?? [])
}

function checkValue({ type, const: only, enum: values, pattern }: Schema, value: unknown, at: string): string[] {
  const mistakes: string[] = []
  if (type !== undefined && !isOfType(value, type)) mistakes.push(`${at}: is not ${type}`)
  if (only !== undefined && value !== only) mistakes.push(`${at}: is not ${JSON.stringify(only)}`)
  if (values !== undefined && !values.includes(value)) mistakes.push(`${at}: is none of ${values}`)
  if (pattern !== undefined && !new RegExp(pattern, 'u').test(String(value))) mistakes.push(`${at}: does not match ${pattern}`)
  return mistakes
}

function isOfType(value: unknown, type: string): boolean {
  if (type === 'integer') return Number.isInteger(value)
  if (type === 'array') return Array.isArray(value)
  if (type === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value)
  return typeof value === type
}

function checkParts(schema: Schema, value: unknown, at: string, root: Schema): string[] {
  const { items, properties = {}, required = [], additionalProperties = true } = schema
  if (Array.isArray(value)) return value.flatMap((item, index) => (items ? check(items, item, `${at}[${index}]`, root) : []))
  if (typeof value !== 'object' || value === null) return []
  const missing = required.filter((name) => !(name in value)).map((name) => `${at}.${name}: is missing`)
  const members = Object.entries(value).flatMap(([name, member]) => {
    const known = properties[name] ?? (typeof additionalProperties === 'object' ? additionalProperties : undefined)
    if (known !== undefined) return check(known, member, `${at}.${name}`, root)
    return additionalProperties === false ? [`${at}.${name}: is not in the schema`] : []
  })
  return [...missing, ...members]
}
