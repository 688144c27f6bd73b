import { type CompiledExpression, compileExpression } from '../../policy/expression/expression.ts'
import type { KnownFacts } from '../../policy/expression/names.ts'
import { ExpressionError } from '../../policy/expression/syntax.ts'
import { listEndpoints, nameServer } from '../derive/endpoints.ts'
import { entriesOf } from '../derive/present-items.ts'
import { type ConfigPath, quote } from '../problem/problem.ts'
import type { CheckContext } from './check-context.ts'

/**
 * Compiles an expression to see whether it is one.
 *
 * @param use - `who` sees neither operation nor arguments
 * @returns undefined where there is none, or none that could be used
 */
export function checkExpression(
  source: string | undefined,
  use: 'who' | 'require',
  at: ConfigPath,
  { report }: CheckContext,
): CompiledExpression | undefined {
  if (source === undefined || source.trim() === '') return undefined
  try {
    return compileExpression(source, use)
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error
    report(at, {
      reason: `${error.message} (at character ${error.offset + 1})`,
      fix: 'Correct the expression: docs/authorization.md, "Expressions".',
    })
    return undefined
  }
}

/**
 * An expression about a call that it is never asked about, or about a server that there is not, would refuse every caller. One that names
 * another server is none of these: rules may be shared.
 */
export function checkMayHold(
  expression: CompiledExpression | undefined,
  known: KnownFacts,
  at: ConfigPath,
  { config, report }: CheckContext,
): void {
  const servers = entriesOf(config.servers).map(([, server]) => server)
  const names = servers.map(nameServer)
  const places = servers.flatMap((server) => listEndpoints(server).map(({ path }) => ({ server: nameServer(server), path })))
  if (expression === undefined || names.some((server) => isHeldAt(expression, known, server, places))) return
  const { method, kind, target } = known
  const operation = Object.entries({ method, kind, target }).flatMap(([name, value]) =>
    value === undefined ? [] : [`\`operation.${name}\` ${value === 'none' ? 'is missing' : `is ${quote(value)}`}`],
  )
  const paths = expression.source.includes('request.path')
    ? [`\`request.path\` is ${places.map(({ path }) => quote(path)).join(' or ')}`]
    : []
  report(at, {
    reason: `can hold for no call: here ${[`\`server\` is ${names.map(quote).join(' or ')}`, ...paths, ...operation].join(', ')}`,
    fix: 'Correct the comparison, or leave it out.',
  })
}

/** Servers without a path, which is another mistake, are taken for ones at any. */
function isHeldAt(
  expression: CompiledExpression,
  known: KnownFacts,
  server: string,
  places: readonly { readonly server: string; readonly path: string }[],
): boolean {
  const here = places.filter((place) => place.server === server)
  return here.length === 0
    ? expression.mayHoldFor({ ...known, server })
    : here.some((place) => expression.mayHoldFor({ ...known, ...place }))
}
