import { findNearest } from '../core/nearest-word.ts'
import { UsageError } from './usage-error.ts'

const COMMANDS = [
  'serve',
  'check',
  'schema',
  'errors',
  'migrate',
  'doctor',
  'init',
  'explain',
  'rules',
  'audit',
  'users',
  'clients',
  'sessions',
  'keys',
  'reload',
] as const

export type Command = (typeof COMMANDS)[number]

/** @throws UsageError */
export function findCommand(word: string): Command {
  const command = COMMANDS.find((name) => name === word)
  if (command === undefined) throw new UsageError(`Unknown command ${JSON.stringify(word)}. ${explainCommand(word)}`)
  return command
}

/** What others call our commands. */
const SYNONYMS: readonly (readonly [words: RegExp, command: Command])[] = [
  [/^(?:start|run|up|proxy|server|listen)$/i, 'serve'],
  [/^(?:validate|verify|test|lint|config)$/i, 'check'],
  [/^(?:new|create|setup|configure|add)$/i, 'init'],
  [/^(?:diagnose|debug|status|health)$/i, 'doctor'],
  [/^(?:convert|translate|upgrade)$/i, 'migrate'],
  [/^(?:why|can|decide|ask|simulate|whatif|what-if)$/i, 'explain'],
  [/^(?:rule|policy|policies|test-rules|rules-test)$/i, 'rules'],
]

function explainCommand(word: string): string {
  if (/\.(?:ya?ml|json)$/i.test(word)) return `To start with that file: serve ${word}.`
  if (/^https?:/i.test(word)) return 'The URL of an MCP server goes behind --upstream, that of an issuer behind --issuer.'
  const nearest = SYNONYMS.find(([words]) => words.test(word))?.[1] ?? findNearest(word, COMMANDS)
  return nearest === undefined ? 'See --help.' : `Did you mean ${nearest}?`
}
