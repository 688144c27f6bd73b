import { findNearest } from '../core/nearest-word.ts'
import { UsageError } from './usage-error.ts'

/** What the running proxy is asked to do: `users revoke SUBJECT`. */
export interface OperatorRequest {
  readonly verb: string
  /** Whom or what it is about. */
  readonly name: string | undefined
}

/** What each command does, and whether that is about one that is named. */
const OPERATOR_VERBS: Readonly<Record<string, Readonly<Record<string, 'name' | 'optional name' | 'no name'>>>> = {
  users: { list: 'no name', show: 'name', revoke: 'name', unblock: 'name' },
  clients: { list: 'no name', revoke: 'name', unblock: 'name' },
  sessions: { list: 'no name', end: 'optional name' },
  keys: { create: 'no name', list: 'no name', revoke: 'name', hash: 'no name' },
}

/**
 * @param words - behind the command
 * @returns undefined for other commands
 * @throws UsageError
 */
export function readOperatorRequest(command: string, words: readonly string[]): OperatorRequest | undefined {
  const verbs = Object.hasOwn(OPERATOR_VERBS, command) ? OPERATOR_VERBS[command] : undefined
  if (verbs === undefined) return undefined
  const [verb = '', name, ...surplus] = words
  const takes = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined
  if (takes === undefined)
    throw new UsageError(`${suggest(verb, Object.keys(verbs))}Say what to do: ${command} ${Object.keys(verbs).join(', ')}.`)
  if (takes === 'name' && name === undefined) throw new UsageError(`Name one of the ${command}: ${command} ${verb} NAME.`)
  const [unexpected] = takes === 'no name' && name !== undefined ? [name] : surplus
  if (unexpected !== undefined)
    throw new UsageError(`Unexpected argument ${JSON.stringify(unexpected)}. ${explainSurplus(unexpected, `${command} ${verb}`)}`)
  return { verb, name }
}

/** Other commands take the configuration file without a flag. */
function explainSurplus(word: string, command: string): string {
  if (/\.(?:ya?ml|json)$/i.test(word)) return `The configuration file goes behind --config: ${command} --config ${word}.`
  return command === 'keys create' ? 'The name of the key goes behind --name.' : 'See --help.'
}

function suggest(word: string, verbs: readonly string[]): string {
  if (word === '') return ''
  const nearest = findNearest(word, verbs)
  return nearest === undefined
    ? `Unknown word ${JSON.stringify(word)}. `
    : `Unknown word ${JSON.stringify(word)}: did you mean ${nearest}? `
}
