import { createJsonSchema, resolveNode, type SchemaNode } from '../../src/config/schema/json-schema.ts'

/** A block of keys in the configuration file. */
interface Block {
  readonly node: SchemaNode
  /** Every place where it stands, for example `servers[].upstream`. */
  readonly names: string[]
}

const root = createJsonSchema()

/** The blocks of the file, each with a table of its keys. */
export function formatBlocks(): string[] {
  const blocks: Block[] = []
  collectBlocks(root, '', blocks)
  return blocks.flatMap(formatBlock)
}

function collectBlocks(node: SchemaNode, name: string, blocks: Block[]): void {
  const known = blocks.find((block) => block.node === node)
  known?.names.push(name)
  if (known) return
  blocks.push({ node, names: [name] })
  for (const [key, property] of Object.entries(node.properties ?? {})) {
    const place = name === '' ? key : `${name}.${key}`
    for (const below of findBlocks(property, place)) collectBlocks(below.node, below.name, blocks)
  }
}

/** The blocks that a property holds: itself, its items, or the values of its keys. */
function findBlocks(property: SchemaNode, name: string): { readonly node: SchemaNode; readonly name: string }[] {
  const node = resolveNode(root, property)
  if (node.properties) return [{ name, node }]
  if (node.items) return findBlocks(node.items, `${name}[]`)
  return typeof node.additionalProperties === 'object' ? findBlocks(node.additionalProperties, `${name}.*`) : []
}

function formatBlock({ names: [name = '', ...others], node }: Block): string[] {
  const rows = Object.entries(node.properties ?? {}).map(([key, property]) =>
    formatRow(key, property, node.required?.includes(key) === true),
  )
  const title = name === '' ? '### The file' : `### \`${name}\``
  const also = others.length === 0 ? [] : ['', `The same in ${others.map((other) => `\`${other}\``).join(', ')}.`]
  const meaning = name === '' ? 'Keys at the top.' : (node.description ?? '')
  return [title, '', meaning, ...also, '', '| key | type | default | meaning |', '|---|---|---|---|', ...rows, '']
}

function formatRow(key: string, property: SchemaNode, required: boolean): string {
  const node = resolveNode(root, property)
  const meaning = property.description ?? node.description ?? ''
  return `| \`${key}\` | ${formatType(property)} | ${formatDefault(property, required)} | ${escapeCell(meaning)} |`
}

function formatDefault(property: SchemaNode, required: boolean): string {
  if (required) return '**required**'
  if (property.default === undefined) return '–'
  const text = JSON.stringify(property.default)
  if (text === '[]' || text === '{}') return 'none'
  return text.length > 60 ? 'all of these' : `\`${text.replaceAll('"', '').replaceAll(',', ', ')}\``
}

function formatType(property: SchemaNode): string {
  const node = resolveNode(root, property)
  const shorthand = property.anyOf ? 'text, or block' : undefined
  if (node.enum) return node.enum.map((choice) => `\`${choice}\``).join(', ')
  if (node.items) return `list of ${formatItems(node.items)}`
  if (node.properties) return shorthand ?? 'block'
  if (typeof node.additionalProperties === 'object') return `keys with ${formatItems(node.additionalProperties)}`
  if (node.type === 'boolean') return '`true`, `false`'
  return node.type === 'string' ? 'text' : formatNumber(node)
}

function formatItems(items: SchemaNode): string {
  const node = resolveNode(root, items)
  if (items.anyOf) return 'texts or blocks'
  if (node.properties) return 'blocks'
  if (node.items) return `lists of ${formatItems(node.items)}`
  return node.enum ? node.enum.map((choice) => `\`${choice}\``).join(', ') : 'texts'
}

function formatNumber(node: SchemaNode): string {
  const kind = node.type === 'integer' ? 'whole number' : 'number'
  return node.maximum === undefined ? kind : `${kind}, ${node.minimum ?? ''} to ${node.maximum}`
}

function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|')
}
