export type FlagName =
  | 'config'
  | 'upstream'
  | 'issuer'
  | 'public-url'
  | 'audit'
  | 'request'
  | 'key'
  | 'open'
  | 'head'
  | 'port'
  | 'host'
  | 'path'
  | 'transport'
  | 'audience'
  | 'scope'
  | 'log-format'
  | 'provider'
  | 'client-id'
  | 'allow'
  | 'add'
  | 'token'
  | 'server'
  | 'tool'
  | 'prompt'
  | 'resource'
  | 'method'
  | 'args'
  | 'claims'
  | 'json'
  | 'no-secrets'
  | 'block'
  | 'for'
  | 'sid'
  | 'jti'
  | 'user'
  | 'most'
  | 'after'
  | 'debug'
  | 'help'
  | 'version'
  | 'demo'
  | 'asgardeo'
  | 'name'
  | 'scopes'
  | 'days'
  | 'address'
  | 'entry'
  | 'stdio'

interface Flag {
  readonly name: FlagName
  /** What the flag takes, for the help text; undefined for switches. */
  readonly value?: string
  readonly repeats?: boolean
  /** The commands that take it, where others don't. */
  readonly only?: readonly (
    | 'audit'
    | 'check'
    | 'doctor'
    | 'explain'
    | 'init'
    | 'rules'
    | 'users'
    | 'clients'
    | 'sessions'
    | 'keys'
  )[]
  readonly help: string
}

/** Every flag, in the order of the help text. */
export const FLAGS: readonly Flag[] = [
  { name: 'config', value: 'FILE', help: 'configuration file; by default ./config.yaml, if it exists' },
  { name: 'upstream', value: 'URL', help: 'without a file: the MCP server; or `-- command …` at the end to start one' },
  {
    name: 'issuer',
    value: 'URL',
    repeats: true,
    help: 'without a file: issuer whose access tokens are accepted; users, clients, sessions: whose they are, where there are several; keys create: whose user --user is',
  },
  { name: 'public-url', value: 'URL', help: 'origin under which clients reach the proxy; counts more than file and environment' },
  { name: 'port', value: 'N', help: 'port to listen on (8080); counts more than file and environment' },
  { name: 'host', value: 'H', help: 'address to listen on (127.0.0.1); counts more than file and environment' },
  { name: 'path', value: 'P', help: 'without a file: public path (that of the upstream, or /mcp)' },
  { name: 'transport', value: 'T', help: 'without a file: streamable_http, or sse (where the upstream ends in /sse)' },
  { name: 'audience', value: 'A', repeats: true, help: 'without a file: audience to accept beside the public URL' },
  { name: 'scope', value: 'S', repeats: true, help: 'without a file: scope that every request needs' },
  { name: 'log-format', value: 'F', help: 'json, pretty or auto; counts more than file and environment' },
  { name: 'debug', help: 'log more' },
  {
    name: 'audit',
    value: 'FILE',
    only: ['explain'],
    repeats: true,
    help: 'explain: file of the audit log in which --request is looked for; repeat it for files that were set aside',
  },
  { name: 'request', value: 'ID', only: ['explain'], help: 'explain: a recorded request, instead of one that is described' },
  {
    name: 'key',
    value: 'FILE',
    only: ['audit'],
    repeats: true,
    help: 'audit verify: file with a public key (PEM) that signatures are verified with',
  },
  { name: 'open', only: ['audit'], help: 'audit verify: the log is still written, so that its end has no signature yet' },
  {
    name: 'head',
    value: 'N:DIGEST',
    only: ['audit'],
    help: 'audit verify: a record that must be there, as the log of the process printed it with a checkpoint',
  },
  { name: 'provider', value: 'KIND', only: ['init'], help: 'init: kind of identity provider, for example google or entra' },
  { name: 'client-id', value: 'ID', only: ['init'], help: 'init: client id of the proxy there, if it is known already' },
  {
    name: 'allow',
    value: 'WHO',
    only: ['init'],
    repeats: true,
    help: 'init: who may sign in: bob@example.com, example.com, claim=value or everybody',
  },
  { name: 'add', only: ['init'], help: 'init: add a server to an existing file; the rest of it stays unchanged' },
  {
    name: 'token',
    value: 'FILE',
    only: ['doctor', 'explain', 'keys'],
    help: 'doctor, explain: file with an access token to try; - is standard input; keys hash: file with the key',
  },
  { name: 'claims', value: 'JSON', only: ['explain'], help: 'explain: the claims of a token, instead of one' },
  {
    name: 'server',
    value: 'NAME',
    only: ['explain', 'keys'],
    help: 'explain: name or path of the server, where there are several; keys create: names of the servers, with commas between them',
  },
  { name: 'tool', value: 'T', only: ['explain'], help: 'explain: a call of this tool' },
  { name: 'prompt', value: 'P', only: ['explain'], help: 'explain: use of this prompt' },
  { name: 'resource', value: 'URI', only: ['explain'], help: 'explain: reading this resource' },
  { name: 'method', value: 'M', only: ['explain'], help: 'explain: a request with this method' },
  {
    name: 'args',
    value: 'JSON',
    only: ['explain'],
    help: 'explain: arguments of the tool or prompt, or `params` of the method; numbers stay exact',
  },
  {
    name: 'json',
    only: ['doctor', 'explain', 'users', 'clients', 'sessions', 'keys'],
    help: 'doctor, explain, users, clients, sessions, keys: print the result as JSON',
  },
  {
    name: 'no-secrets',
    only: ['check', 'rules', 'explain'],
    help: 'check, rules test, explain: read no secrets, and accept that files are missing: for configurations in version control',
  },
  { name: 'block', only: ['users', 'clients'], help: 'users revoke, clients revoke: refuse new tokens as well, until unblock' },
  {
    name: 'for',
    value: 'TIME',
    only: ['users', 'clients', 'sessions', 'keys'],
    help: 'revoke, end: how long tokens are refused, for example 90s, 15m, 12h or 30d; keys create: a subject instead of a time, the same as --user',
  },
  { name: 'sid', value: 'ID', only: ['sessions'], help: 'sessions end: the session with the issuer (claim `sid`)' },
  {
    name: 'user',
    value: 'SUBJECT',
    only: ['sessions', 'keys'],
    help: 'sessions list: of this user; keys create: the user that the key stands for, by default none',
  },
  { name: 'most', value: 'N', only: ['users', 'clients', 'sessions'], help: 'list: so many rows (100)' },
  {
    name: 'after',
    value: 'KEY',
    only: ['users', 'clients', 'sessions'],
    help: 'list: the rows behind this one, the last of the page before',
  },
  { name: 'jti', value: 'ID', only: ['sessions'], help: 'sessions end: one token (claim `jti`)' },
  { name: 'name', value: 'NAME', only: ['keys'], help: 'keys create: what logs and policy (principal.client_id) call the key' },
  { name: 'scopes', value: 'SCOPES', only: ['keys'], repeats: true, help: 'keys create: scopes of the key, by default none' },
  { name: 'days', value: 'N', only: ['keys'], help: 'keys create: days until it expires (90), 366 at most' },
  {
    name: 'address',
    value: 'CIDR',
    only: ['keys'],
    repeats: true,
    help: 'keys create: address or CIDR block that it may come from, by default all',
  },
  { name: 'entry', only: ['keys'], help: 'keys create: print an entry for `keys` of the file; nothing is stored' },
  { name: 'help', help: 'this text' },
  { name: 'version', help: 'the version' },
  {
    name: 'demo',
    help: 'try it out: sign users in at a sandbox on this machine, or at the Asgardeo of the `demo` block of a Go proxy file',
  },
  { name: 'asgardeo', help: 'sign users in at the Asgardeo of a Go proxy file, whatever other issuers it names' },
  { name: 'stdio', help: 'start the MCP server of a Go proxy file as a process, whatever its `transport_mode`' },
]

/** Flags that answer questions of `init`, beside its own. */
export const INIT_FLAGS: readonly FlagName[] = ['upstream', 'issuer', 'public-url', 'scope']
