import { FLAGS } from './flags.ts'
import { formatTable } from './table.ts'
import { WIDTH, wrap } from './wrap.ts'

const COMMANDS: readonly (readonly [name: string, what: string])[] = [
  ['serve [FILE]', 'start the proxy (default)'],
  ['init [FILE]', 'ask a few questions and write a configuration file'],
  ['check [FILE]', 'check the configuration and print the table of routes'],
  ['schema', 'print the JSON Schema of the configuration file'],
  ['errors', 'print the catalogue of errors'],
  ['doctor [FILE]', 'ask issuers, MCP servers and the public URL, and say what is wrong and which clients will connect'],
  ['migrate FILE', "print a configuration of the Go proxy's format in this one's"],
]

export const EXIT_CODES: readonly (readonly [code: string, meaning: string])[] = [
  ['0', 'done; serve: stopped by a signal, after running requests have finished; doctor: no problem was found'],
  [
    '1',
    'failure at run time: port in use, no permission, standard output that cannot be written; serve: stopped by a second signal; doctor: there are problems; init: broken off',
  ],
  ['2', 'mistake on the command line or in the configuration, or something that this version does not support'],
]

/** The help text. */
export function formatHelp(): string {
  const flags = FLAGS.map(({ name, value, help }) => [`--${name}${value === undefined ? '' : ` ${value}`}`, help] as const)
  return [
    'Makes any MCP server a protected OAuth 2.1 resource.',
    '',
    'Usage:',
    '  open-mcp-auth-proxy [command] [flags]',
    '  open-mcp-auth-proxy --upstream http://localhost:8000/mcp \\',
    '                      --issuer https://idp.example.com',
    '  open-mcp-auth-proxy --issuer https://idp.example.com \\',
    '                      -- npx -y some-mcp-server --flag',
    '',
    'Commands:',
    ...formatTerms(COMMANDS),
    '',
    'Flags:',
    ...formatTerms(flags),
    '',
    'Exit codes:',
    ...formatTerms(EXIT_CODES),
    '',
    ...wrap('serve writes the log, and nothing else, to standard output, and what people should know to standard error.', WIDTH),
    ...wrap('SIGTERM or SIGINT stops it when running requests have finished; a second one stops it at once.', WIDTH),
  ].join('\n')
}

/** Terms in one column, what they mean in another that ends where a terminal does. */
function formatTerms(terms: readonly (readonly [term: string, meaning: string])[]): string[] {
  const left = Math.max(...terms.map(([term]) => term.length)) + 4
  const rows = terms.map(([term, meaning]) => [[term], wrap(meaning, WIDTH - left)])
  return formatTable(['', ''], rows)
    .slice(1)
    .map((line) => `  ${line}`)
}
