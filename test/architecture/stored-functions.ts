import { parseAst } from 'rolldown/parseAst'

/** A node of the syntax tree (ESTree). */
interface Node {
  readonly type: string
  readonly start: number
}

/**
 * Finds where a function is written as the value that is assigned to a property: `object.property = () => …`. V8 takes such a function for
 * one that will last and allocates it in the old generation. All that it closes over is then kept until the whole heap is collected, however
 * short its life was.
 *
 * @returns a line of each, as `text` numbers them
 */
export function findStoredFunctions(text: string): number[] {
  const found: number[] = []
  visit(parseAst(text, { lang: 'ts' }), (node) => {
    if (isStoredFunction(node)) found.push(text.slice(0, node.start).split('\n').length)
  })
  return found
}

function isStoredFunction(node: Node): boolean {
  if (node.type !== 'AssignmentExpression') return false
  const { left, right } = node as Node & { readonly left: Node; readonly right: Node }
  return left.type === 'MemberExpression' && /^(?:Arrow)?Function/.test(right.type)
}

function visit(value: unknown, see: (node: Node) => void): void {
  if (typeof value !== 'object' || value === null) return
  if ('type' in value && 'start' in value) see(value as Node)
  for (const part of Object.values(value)) visit(part, see)
}
