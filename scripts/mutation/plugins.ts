import { createHash } from 'node:crypto'
import type { Ignorer, NodePath } from '@stryker-mutator/api/ignore'
import { commonTokens, declareFactoryPlugin, declareValuePlugin, PluginKind } from '@stryker-mutator/api/plugin'
import type { Sample } from './arguments.ts'

/** What is read of a node of Babel's syntax tree. */
interface Syntax {
  readonly type: string
  readonly value?: unknown
  readonly properties?: readonly { readonly key?: { readonly name?: string } }[]
}

/** What is read of a place in the tree. */
interface Place {
  readonly node: Syntax
  readonly parentPath: Place | null
  getSource(): string
}

/** Leaves out prose: strings with a space between words, and what an error is thrown with, which goes to the log and nowhere else. */
const prose: Ignorer = {
  shouldIgnore: (path: NodePath): string | undefined => {
    const { node, parentPath } = path as unknown as Place
    if (node.type === 'StringLiteral' && typeof node.value === 'string' && /\S \S/.test(node.value)) return 'prose'
    if (node.type === 'TemplateLiteral' && isThrown(parentPath)) return 'prose'
    return node.type === 'ObjectExpression' && isOnlyCause(node) ? 'the cause of an error' : undefined
  },
}

/** Whether the arguments of this call make an error that is thrown at once: `throw invalid(…)`. */
function isThrown(call: Place | null): boolean {
  return call?.node.type === 'CallExpression' && call.parentPath?.node.type === 'ThrowStatement'
}

function isOnlyCause({ properties }: Syntax): boolean {
  return properties?.length === 1 && properties[0]?.key?.name === 'cause'
}

/** Leaves out top-level declarations, the same ones each time for a seed. */
function createSampler({ sample }: { readonly sample?: Sample }): Ignorer {
  return {
    shouldIgnore: (path: NodePath): string | undefined => {
      const place = path as unknown as Place
      if (sample === undefined || place.parentPath?.node.type !== 'Program') return undefined
      return draw(`${sample.seed}\n${place.getSource()}`) < sample.share ? undefined : 'not in the sample'
    },
  }
}
createSampler.inject = [commonTokens.options] as const

/** A number from 0 to 1 that depends on the text alone. */
function draw(from: string): number {
  return createHash('sha256').update(from).digest().readUInt32BE() / 2 ** 32
}

export const strykerPlugins = [
  declareValuePlugin(PluginKind.Ignore, 'prose', prose),
  declareFactoryPlugin(PluginKind.Ignore, 'sample', createSampler as never),
]
