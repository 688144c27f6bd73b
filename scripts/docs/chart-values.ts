import { createJsonSchema, type SchemaNode } from '../../src/config/schema/json-schema.ts'

/** Definitions of the chart's own values. The others are made. */
const OWN = ['map', 'objects', 'port']

/**
 * The schema of the chart's values, of which `config` is the configuration file: a key that is misspelt there is found before anything is
 * installed. What a value must be like besides (URLs, combinations) is found by `check` and at the start.
 *
 * @param chart - the schema as it is, with what was written by hand
 */
export function describeChartValues(chart: SchemaNode): SchemaNode {
  const { definitions = {}, properties, type, additionalProperties } = createJsonSchema()
  const own = Object.entries(chart.definitions ?? {}).filter(([name]) => OWN.includes(name))
  // The chart says itself what is missing, in words: without any values, it can be linted.
  const config = { type, additionalProperties, properties }
  const made = Object.entries({ config, ...definitions }).map(([name, node]) => [name, withoutWords(node)])
  return { ...chart, definitions: Object.fromEntries([...own, ...made]) }
}

const WORDS = new Set(['title', 'description', 'default'])

/** Without what Helm does not show. Names of keys may be the same words: these have an object. */
function withoutWords(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(withoutWords)
  if (typeof node !== 'object' || node === null) return node
  const kept = Object.entries(node).filter(([name, value]) => !WORDS.has(name) || isNode(value))
  return Object.fromEntries(kept.map(([name, value]) => [name, withoutWords(value)]))
}

function isNode(value: unknown): boolean {
  return (
    typeof value === 'object' && value !== null && ('type' in value || '$ref' in value || 'anyOf' in value || 'enum' in value)
  )
}
