import { FLAGS, INIT_FLAGS } from './flags.ts'
import { formatTable } from './table.ts'
import { WIDTH, wrap } from './wrap.ts'

const COMMANDS: readonly (readonly [name: string, what: string])[] = [
  ['serve [FILE]', 'start the proxy (default)'],
  ['init [FILE]', 'ask a few questions and write a configuration file'],
  ['check [FILE]', 'check the configuration and print the tables of routes, access and rules'],
  ['schema', 'print the JSON Schema of the configuration file'],
  ['errors', 'print the catalogue of errors'],
  ['doctor [FILE]', 'probe issuers, MCP servers and the public URL; report problems and which clients will connect'],
  ['explain [FILE]', 'say who may do what and why: which entry or rule decides on a request; nothing is called'],
  ['rules test FILE…', 'try the cases of these files on the configuration'],
  [
    'users list',
    'list who has signed in at the running proxy, and who is shut out; also users show SUBJECT, clients list, sessions list',
  ],
  [
    'users revoke SUBJECT',
    'have the running proxy, and all that share its store, refuse the tokens of a user; unblock ends --block',
  ],
  ['clients revoke CLIENT', 'the same for a client'],
  ['sessions end [ID]', 'the same for a session of the proxy, one of an issuer (--sid) or one token (--jti)'],
  [
    'keys create',
    'make an access key for a caller without a browser, and print it once; also keys list, keys revoke NAME, and keys hash for one on standard input',
  ],
  ['reload [FILE]', 'have the running proxy read its configuration anew, over its admin listener'],
  ['audit verify FILE…', 'look for changes in a chained audit log'],
  ['migrate FILE', "print a configuration of the Go proxy's format in this one's"],
]

export const EXIT_CODES: readonly (readonly [code: string, meaning: string])[] = [
  [
    '0',
    'success; serve: stopped by a signal after running requests finished; doctor: no problems found; explain: permitted; rules test: all cases as expected; audit verify: no change found',
  ],
  [
    '1',
    'failure at run time: port in use, no permission, standard output cannot be written; serve: stopped by a second signal, or the last records of an audit log with `fail: refuse` could not be written; doctor: problems found; rules test: a case came out otherwise; audit verify: changed; init: aborted, or the file cannot be written; users, clients, sessions, keys: the running proxy cannot be asked, or refused; reload: the same',
  ],
  ['2', 'mistake on the command line or in the configuration, or an unsupported feature'],
  [
    '3',
    'explain: denied, or the token is refused; reload: a setting has changed that needs a restart; audit verify: not everything could be checked',
  ],
]

/** The help text. */
export function formatHelp(): string {
  const flags = FLAGS.map(formatFlag)
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
    ...wrap('serve writes only the log to standard output. Notices and errors go to standard error.', WIDTH),
    ...wrap(
      'SIGTERM or SIGINT stops it after running requests have finished; a second signal stops it at once. SIGHUP reloads the configuration.',
      WIDTH,
    ),
  ].join('\n')
}

/** What commands of two words do, for their own help. */
const TWO_WORDS: Readonly<Record<string, readonly (readonly [name: string, what: string])[]>> = {
  users: [
    ['users list', 'users who have signed in at the running proxy, and who is shut out'],
    ['users show SUBJECT', 'one user, with sessions'],
    ['users revoke SUBJECT', 'refuse the tokens of a user in the running proxy, and in all that share its store'],
    ['users unblock SUBJECT', 'end `users revoke --block`'],
  ],
  clients: [
    ['clients list', 'clients that are registered at the running proxy'],
    ['clients revoke CLIENT', 'refuse the tokens of a client in the running proxy, and in all that share its store'],
    ['clients unblock CLIENT', 'end `clients revoke --block`'],
  ],
  sessions: [
    ['sessions list', 'sessions of users at the running proxy'],
    ['sessions end ID', 'end a session of the proxy'],
    ['sessions end --sid ID', 'refuse the tokens of a session of an issuer'],
    ['sessions end --jti ID', 'refuse one token'],
  ],
  keys: [
    [
      'keys create --name NAME --server NAME [--scopes SCOPES]',
      'make an access key for a caller without a browser, and print it once, alone on standard output',
    ],
    ['keys create … --entry', 'the same for `keys` of the configuration file; nothing is stored'],
    ['keys list', 'all keys, those of the file too, with state, expiry and last use'],
    ['keys revoke NAME', 'end all keys of a name, or one by its id'],
    ['keys hash', 'print the digest of a key on standard input, for `keys` of the file'],
  ],
}

/**
 * The help of one command.
 *
 * @returns undefined for what is no command, or the default one
 */
export function formatCommandHelp(command: string | undefined): string | undefined {
  const lines = TWO_WORDS[command ?? ''] ?? COMMANDS.filter(([name]) => name.split(' ')[0] === command)
  const own = FLAGS.filter((flag) => isOf(flag, command ?? ''))
  if (lines.length === 0 || command === 'serve') return undefined
  const flags = own.map((flag) => formatFlag({ ...flag, help: selectHelp(flag.help, command ?? '') }))
  return [
    ...['Usage:', ...formatTerms(lines), ''],
    ...(flags.length > 0 ? ['Flags:', ...formatTerms(flags), ''] : []),
    ...wrap('`open-mcp-auth-proxy --help` lists all commands, flags and exit codes.', WIDTH),
  ].join('\n')
}

type Flag = (typeof FLAGS)[number]

const WITHOUT_CONFIG: readonly string[] = ['audit', 'migrate', 'schema', 'errors']

function isOf({ name, only, help }: Flag, command: string): boolean {
  if (only !== undefined) return only.some((one) => one === command)
  if (command === 'init') return INIT_FLAGS.includes(name)
  return (name === 'config' && !WITHOUT_CONFIG.includes(command)) || listParts(help).some(({ of }) => of.includes(command))
}

/** The parts of a flag's help that are not of other commands: `explain: …; keys create: …`. */
function selectHelp(help: string, command: string): string {
  const parts = listParts(help)
  const own = parts.filter(({ of }) => of.includes(command))
  return (own.length > 0 ? own : parts.filter(({ of }) => !NAMES.some((name) => of.includes(name))))
    .map(({ text }) => keepOwnName(text, command))
    .join('; ')
}

/** `check, explain: read no secrets` is `read no secrets` for each of them; `keys create: …` keeps its second word. */
function keepOwnName(text: string, command: string): string {
  const [, names = '', rest = ''] = /^([a-z, ]+): (.*)$/s.exec(text) ?? []
  const own = names.split(', ').filter((name) => `${name} `.startsWith(`${command} `))
  if (own.length === 0) return text
  return own.includes(command) ? rest : `${own.join(', ')}: ${rest}`
}

const NAMES = COMMANDS.map(([name]) => name.split(' ')[0] ?? '')

function listParts(help: string): readonly { readonly of: readonly string[]; readonly text: string }[] {
  return help.split(/; (?=[a-z, ]+: )/).map((text) => ({ text, of: (/^([a-z, ]+): /.exec(text)?.[1] ?? '').split(/,? /) }))
}

function formatFlag({ name, value, help }: Pick<Flag, 'name' | 'value' | 'help'>): readonly [flag: string, help: string] {
  return [`--${name}${value === undefined ? '' : ` ${value}`}`, help]
}

/** Terms in one column, what they mean in another that ends where a terminal does. */
function formatTerms(terms: readonly (readonly [term: string, meaning: string])[]): string[] {
  const left = Math.max(...terms.map(([term]) => term.length)) + 4
  const rows = terms.map(([term, meaning]) => [[term], wrap(meaning, WIDTH - left)])
  return formatTable(['', ''], rows)
    .slice(1)
    .map((line) => `  ${line}`)
}
