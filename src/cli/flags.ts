export type FlagName =
  | 'config'
  | 'upstream'
  | 'issuer'
  | 'public-url'
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
  | 'json'
  | 'debug'
  | 'help'
  | 'version'
  | 'demo'
  | 'asgardeo'
  | 'stdio'

interface Flag {
  readonly name: FlagName
  /** What the flag takes, for the help text; undefined for switches. */
  readonly value?: string
  readonly repeats?: boolean
  /** The command that takes it, where others don't. */
  readonly only?: 'doctor' | 'init'
  readonly help: string
}

/** Every flag, in the order of the help text. */
export const FLAGS: readonly Flag[] = [
  { name: 'config', value: 'FILE', help: 'configuration file; by default ./config.yaml, if it exists' },
  { name: 'upstream', value: 'URL', help: 'without a file: the MCP server; or `-- command …` at the end to start one' },
  { name: 'issuer', value: 'URL', repeats: true, help: 'without a file: issuer whose access tokens are accepted' },
  { name: 'public-url', value: 'URL', help: 'without a file: origin under which clients reach the proxy' },
  { name: 'port', value: 'N', help: 'without a file: port to listen on (8080)' },
  { name: 'host', value: 'H', help: 'without a file: address to listen on (127.0.0.1)' },
  { name: 'path', value: 'P', help: 'without a file: public path (that of the upstream, or /mcp)' },
  { name: 'transport', value: 'T', help: 'without a file: streamable_http, or sse (where the upstream ends in /sse)' },
  { name: 'audience', value: 'A', repeats: true, help: 'without a file: audience to accept beside the public URL' },
  { name: 'scope', value: 'S', repeats: true, help: 'without a file: scope that every request needs' },
  { name: 'log-format', value: 'F', help: 'json, pretty or auto' },
  { name: 'debug', help: 'log more' },
  { name: 'provider', value: 'KIND', only: 'init', help: 'init: kind of identity provider, for example google or entra' },
  { name: 'client-id', value: 'ID', only: 'init', help: 'init: client id of the proxy there, if it is known already' },
  {
    name: 'allow',
    value: 'WHO',
    only: 'init',
    repeats: true,
    help: 'init: who may sign in: bob@example.com, example.com, claim=value or everybody',
  },
  { name: 'add', only: 'init', help: 'init: add a server to an existing file; the rest of it stays unchanged' },
  { name: 'token', value: 'FILE', only: 'doctor', help: 'doctor: file with an access token to try; - is standard input' },
  { name: 'json', only: 'doctor', help: 'doctor: print the findings as JSON' },
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
