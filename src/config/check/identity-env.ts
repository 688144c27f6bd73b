import { findVariableMistake } from '../format/formats.ts'
import { isReservedVariable } from '../format/reserved-variables.ts'
import type { ConfigPath, Mistake } from '../problem/problem.ts'
import type { PartialConfig } from '../schema/partial-config.ts'
import type { ServerConfig } from '../schema/server.ts'
import type { CheckContext } from './check-context.ts'

/** Checks the environment variables that tell a process who calls: each has one writer, and none tells the program anything else. */
export function checkIdentityEnv(server: PartialConfig<ServerConfig>, at: ConfigPath, { report }: CheckContext): void {
  const names = Object.keys(server.identity?.env ?? {})
  if (names.length > 0 && server.upstream?.process_per === 'shared')
    report([...at, 'env'], {
      reason: 'says who calls in the environment of a process, and with `process_per: shared` a process serves all callers',
      fix: 'Remove it (`_meta` of each request says who calls), or write `process_per: session`.',
    })
  const taken = new Map(Object.keys(server.upstream?.env ?? {}).map((name) => [name.toUpperCase(), 'upstream.env']))
  for (const name of names) {
    const mistake = findNameMistake(name, taken.get(name.toUpperCase()))
    if (mistake) report([...at, 'env', name], mistake)
    taken.set(name.toUpperCase(), 'identity.env')
  }
}

function findNameMistake(name: string, owner: string | undefined): Mistake | undefined {
  if (findVariableMistake(name))
    return { reason: 'is not the name of an environment variable', fix: 'Use letters, digits and `_`.' }
  if (owner !== undefined)
    return { reason: `is a variable that \`${owner}\` sets, too`, fix: 'Choose another name, or remove one of the two.' }
  if (isReservedVariable(name))
    return {
      reason: 'is a variable by which a claim of a caller could change what the program runs, trusts or reaches',
      fix: 'Choose a name of your own, for example MCP_USER.',
    }
  return undefined
}
