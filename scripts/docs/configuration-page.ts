import { FLAGS } from '../../src/cli/flags.ts'
import { EXIT_CODES } from '../../src/cli/help.ts'
import { formatBlocks } from './schema-blocks.ts'

/** `docs/configuration.md`: every key, made from the schema that checks it. */
export function formatConfigurationPage(): string {
  return [...INTRODUCTION, '## Keys', '', ...formatBlocks(), ...NOTES, ...formatCommandLine(), ...GO_PROXY].join('\n')
}

const INTRODUCTION = `<!-- Made from src/config/schema/schema.ts and scripts/docs by \`npm run docs\`. Do not edit. -->
# Configuration

The proxy reads one file, YAML 1.2 or JSON: \`./config.yaml\`, or what \`--config\` names. The smallest one:

\`\`\`yaml
# yaml-language-server: $schema=../docs/config.schema.json
issuers:
  - https://idp.example.com
servers:
  - path: /mcp
    upstream: http://localhost:8000/mcp
\`\`\`

[samples/](../samples) has more. With the first line, editors complete keys and mark mistakes; \`open-mcp-auth-proxy schema\` prints the schema that it names.

- **Mistakes stop the start**, all of them at once, each with its place, the reason and what to do. Unknown keys are mistakes, too. \`open-mcp-auth-proxy check\` looks for them
  without starting anything, and prints the tables of routes, access and rules.
- **Choices that weaken something are said at every start**, one line each.
- **Relative paths** of files are resolved against the folder of the configuration file.
`.split('\n')

const NOTES = `## Notes

### Secrets

Secrets never stand in the file. Where one is needed, write \`{ env: NAME }\` for an environment variable or \`{ file: path }\` for a file that holds nothing else. One final line break
is left out, of a file and of a variable: editors and \`echo\` write one, and a Secret of Kubernetes keeps it. Any further white space counts. An unset variable, a missing file and an empty value stop the start. What a secret holds is never printed.

Headers for an MCP server take the same two, with an optional \`prefix\`, or a plain text when the value is no secret:

\`\`\`yaml
upstream:
  url: http://localhost:8000/mcp
  headers:
    Authorization: { env: FILES_TOKEN, prefix: "Bearer " }
    X-Region: eu
\`\`\`

### MCP servers as processes

\`command\` in place of \`url\` starts the MCP server and speaks to it over its standard streams; it is served over Streamable HTTP, in every revision, and with \`sse: {}\` over HTTP+SSE as well:

\`\`\`yaml
servers:
  - path: /files
    upstream:
      command: [npx, -y, "@modelcontextprotocol/server-filesystem", /srv/files]
      env:
        LOG_LEVEL: info
        API_KEY: { env: FILES_API_KEY }
    sse:
      path: /files/sse
\`\`\`

No shell is run. A text is split into words as a shell would, and one that needs a shell is a mistake. The process gets a small environment and what \`env\` names, never the proxy's secrets. What it
writes to its standard error goes to the log. [stdio.md](stdio.md) says which clients are served how, and what happens when a process ends.

### URLs and hosts

The URL that clients use for a server is \`public_url\` plus its \`path\`. That URL is also its resource identifier: an access token must name it as its audience, or one of \`audience\`. A final
slash makes no difference there.

Paths match exactly, and each belongs to one server. They hold letters, digits and \`- . _ ~\` and a few more characters that need no escape, no empty and no dot segments. \`/healthz\`,
\`/readyz\` and \`/.well-known/…\` are the proxy's own.

Without \`public_url\` (on loopback only) clients use \`http://localhost:<port>\`. The \`Host\` header must be that of \`public_url\`, a name of this machine where only this machine is served, or one of
\`allowed_hosts\`: web pages could reach the proxy through a name of their own otherwise.

An issuer uses https, or http on this machine. The addresses \`jwks_uri\` and \`introspection.endpoint\` may also use http inside a private network (with a notice at the start).

### Scopes

Groups, claims and arguments decide as well where \`access\` and \`require\` say so: see [who may do what](authorization.md).

A request needs every base scope (\`scopes\`) and every scope of all \`rules\` that match it. A rule names exactly one of these:

| key | matches |
|---|---|
| \`method\` | a JSON-RPC method, \`tools/call\`, or a family, \`tools/*\` |
| \`tool\` | \`tools/call\` of a tool; \`*\` stands for any characters |
| \`prompt\` | \`prompts/get\` of a prompt; \`*\` stands for any characters |
| \`resource\` | reads of and subscriptions to a resource URI; \`*\` stands for any characters except \`/\`, \`**\` for any characters |
| \`path\` | every request to one path of the server |

\`scope_hierarchy\` says which scopes include others; a token with \`mcp:admin\` needs no \`mcp:read\` if the hierarchy includes it. Unused scopes and cycles are mistakes.

Clients are told \`scopes_supported\` to begin with, in protected resource metadata and, where it is configured, beside the base scopes in the challenge of a 401: by default the base scopes, the least that makes a server usable; without base scopes, all scopes of the rules.
What else an operation needs they are told when they try it. \`offline_access\` is never asked for: refresh tokens are a matter between client and issuer.

### \`unlisted_operations\`

With \`permit\` (the default) operations that no rule names need the base scopes only. With \`deny\` they are refused, except for what every client needs to begin: \`initialize\`, \`ping\`,
\`server/discover\`, notifications, answers, the event stream (GET) and the end of a session (DELETE); and the list methods of what rules name. A rule with \`scopes: []\` opens an operation to
everyone with the base scopes. A rule about a \`path\` opens nothing.

### Old clients

Audience, issuer, expiry and scopes are checked for clients of every revision; the version header never weakens a check. \`legacy_clients\` says what clients of revisions before 2025-03-26 get:
\`enforce\` (the same checks), \`signature_only\` (on HTTP+SSE endpoints tokens without an audience are accepted, too; issuer and expiry still count) or \`reject\`.

### Sessions and restarts

MCP session ids reach clients sealed: one user can't use the session of another. They belong to a user (\`iss\` and \`sub\`), whichever client is used; where \`sub\` is
missing or is the client id, to that client. What a stdio server of 2026-07-28 mints (tasks, \`requestState\`) is sealed in the same way. Tasks of an MCP server over HTTP are its own to guard, as is all that it answers:
one that does not know the user (no \`forward_access_token\`, no \`credential\` of the user) keeps tasks apart only as far as their ids are unguessable; a rule for the method \`tasks/*\` closes them.
A restart keeps them where the key outlives it: it is derived from the last of \`encryption_keys\`, so that changing those keeps sessions until the old key leaves the list. Without such keys it is random at each start, which the
start says. A restart then ends sessions: clients are told 404, upon which they are to begin new ones (the specification asks for that), but FastMCP's client, the Go SDK, mcp-go and the AI SDK stay without one until their user
connects again. Set \`session_key\` to keep sessions, and give all instances behind one address the same key. It needs at least 32 bytes:

\`\`\`sh
openssl rand -base64 32
\`\`\`
`.split('\n')

const GO_PROXY = `## Files of the Go proxy

A configuration file of WSO2's Open MCP Auth Proxy works as it is, in every shape that it ever had; it is recognized by its keys. Keys of both formats in one file are a mistake.
\`open-mcp-auth-proxy migrate config.yaml\` prints the same in this format. What means something else here is said at every start, one line a key.

| Go proxy | here |
|---|---|
| \`listen_port\`, \`listen_address\` | \`listen\`. Every interface, as before |
| \`base_url\`, \`port\`, \`mcp_server_base_url\` | \`upstream\`, with the paths below behind it. Never the public URL |
| \`proxy_base_url\` | \`public_url\`. Where it is missing, the origin of \`resource_identifier\` if that is an address of the proxy; else \`http://localhost:<port>\`, and every \`Host\` is accepted |
| \`paths\`, \`mcp_paths\`, \`transport_mode\` | \`path\` and \`sse\` of one server; everything named is served |
| \`transport_mode: stdio\`, \`stdio\`, \`command\`, \`--stdio\` | \`upstream.command\`: no shell, no bridge and no port of its own; every transport and revision. \`args\` are passed now |
| \`path_mapping\` of a path of \`paths\` | the path of the upstream |
| \`timeout_seconds\` | \`upstream.response_timeout_seconds\`: until the response headers, never a stream |
| \`authorization_servers\`, \`jwks_uri\`; \`default.base_url\`, \`default.jwks_url\`; \`auth_server_base_url\`, \`jwks_url\` | \`issuers\`. Addresses of Asgardeo organizations and Auth0 tenants are completed to their issuer identifier |
| \`asgardeo\`, \`--asgardeo\` | \`identity_provider\` with \`kind: asgardeo\`, in use with the flag or where no other issuer is named: see [the recipe](recipes/migrate-from-go-proxy.md) |
| \`resource_identifier\`, \`audience\` | \`audience\`; both are accepted, and the URLs of the server |
| \`scopes_supported\`: list | \`scopes\`: every request needs all of them |
| \`scopes_supported\`: keys with a slash (\`"/get-alerts": "s"\`) | \`rules\`: a request path of the proxy, or else the method or tool of that name |
| \`scopes_supported\`: keys without a slash (\`tools: "s"\`) | \`rules\`: the family of methods, \`tools/*\` |
| \`scopes_supported\`: \`- initialize: "s"\`, \`- tools/call: [{ echo: "s" }]\` | \`rules\`: method, and tool |
| \`bearer_methods_supported\` | \`bearer_methods\`; all of them work |
| \`cors\` | \`cors\` |
| clients before 2025-03-26: signature only | \`legacy_clients: enforce\`; the new format can say \`signature_only\` |

The keys of protected resource metadata may stand at the top, in \`protected_resource_metadata\`, or below \`asgardeo\`.

Where \`default\` or \`path_mapping\` changes requests of the OAuth flow (\`/authorize\`, \`/token\`, \`/register\`, the metadata document) and no \`authorization_servers\` are named, they are passed on as before, by \`rewrite\`:
see [identity-providers.md](identity-providers.md). \`--demo\` signs users in at the organization of the \`demo\` block; without one, at a [sandbox](#trying-it-out) on your own machine. The sandbox that came with the Go proxy is gone.
`.split('\n')

const BESIDE_THE_FILE = `### Flags and environment beside a file

A key that a flag says counts more than the environment, and the environment more than the file. \`check\` says for each such key where its value comes from.

- \`--port\`, \`--host\`, \`--public-url\`, \`--log-format\` and \`--debug\` can be given with any file.
- Every key can come from a variable: \`OMAP_\`, then the names of the keys with \`__\` between the levels. \`OMAP_LISTEN__PORT\` is \`listen.port\`, \`OMAP_SERVERS__0__UPSTREAM__URL\` is \`servers[0].upstream.url\`.
  Items of lists are counted from 0, and an item behind the last one is added. Where the file has a text instead of a block (\`upstream: http://localhost:8000/mcp\`), variables change and add keys all the same.
- \`OMAP_\` is in capitals, and a variable that begins with it in another case is a mistake; the names of keys may be in either case. Names that you choose yourself, such as those of headers, are taken as they are written, also with \`__\` in them.
- Numbers, \`true\` and \`false\` are written as in the file, texts without quotes; one final line break of a text is left out. Lists and blocks are YAML: \`OMAP_TRUSTED_PROXIES='[10.0.0.0/8, 192.168.0.0/16]'\`.
- Where a key names a secret, the variable holds the secret itself: \`OMAP_SESSION_KEY\` is the key, \`OMAP_ENCRYPTION_KEYS__0\` the first of those. \`OMAP_SESSION_KEY__ENV\` and \`OMAP_SESSION_KEY__FILE\` name another variable, or a file.
  So do \`headers\` and \`env\` of an \`upstream\`: \`OMAP_SERVERS__0__UPSTREAM__HEADERS__AUTHORIZATION\`.
- An empty variable says nothing. A variable that is no key, or two that say the same, end the start with exit code 2; the nearest key is told, never a value. A variable that the file names itself (\`{ env: OMAP_MY_KEY }\`) may have any name.
- With \`OMAP_SERVERS\`, no file is needed. Kubernetes makes variables of its own for each service: give a service called \`omap\` another name, or set \`enableServiceLinks: false\`.

\`\`\`sh
OMAP_LOG__LEVEL=warn open-mcp-auth-proxy --config config.yaml --port 9000
OMAP_ISSUERS='[https://idp.example.com]' OMAP_SERVERS='[{ path: /mcp, upstream: "http://localhost:8000/mcp" }]' open-mcp-auth-proxy check
\`\`\`

### Checking a file in version control

\`check --no-secrets\` needs none of the secrets: they are not read, and files that the configuration names (certificates, keys, images) may be missing. Everything else is checked as at the start.
Where a secret has no place in the file because a variable holds it (\`OMAP_ENCRYPTION_KEYS__0\`), set the variable to any text.
A value with \`REPLACE-WITH-\` in it, as \`init\` and the samples write it, is a mistake, there and at every start.

\`\`\`sh
open-mcp-auth-proxy check --no-secrets config.yaml
\`\`\`
`.split('\n')

const TRYING_OUT = `### Trying it out

\`\`\`sh
open-mcp-auth-proxy --demo --upstream http://localhost:8000/mcp
open-mcp-auth-proxy --demo -- npx -y some-mcp-server
open-mcp-auth-proxy --demo --config config.yaml
\`\`\`

\`--demo\` starts an authorization server of its own, the sandbox, in the same process: at the port after the proxy's, or a free one if that is taken. It prints its sample users, their passwords and how to connect.
The MCP server asks for the scopes that flags or file say; \`alice\` may have what a whole server or method needs, \`bob\` also what rules for single tools, prompts and resources need. Without any scope it is \`mcp:tools\`.

- Everybody knows the passwords. So the sandbox listens on 127.0.0.1, answers to the names of this machine only, and \`--demo\` is refused (exit code 2) with a \`listen.host\`, \`public_url\` or \`allowed_hosts\` beyond this machine.
- Only its access tokens are accepted: \`issuers\` of the file are not used, an \`identity_provider\` beside it is a mistake.
- Keys, registrations and sign-ins are in memory. After a restart, remove the server from your client and add it again.
- A file of the Go proxy whose \`demo\` block names an Asgardeo organization is signed in at there, as before.
`.split('\n')

function formatCommandLine(): string[] {
  return [
    '## Command line',
    '',
    '`open-mcp-auth-proxy [serve|init|check|doctor|explain|rules test FILE…|users|clients|sessions|reload|audit verify FILE…|schema|errors|migrate FILE] [flags]`',
    '',
    '[doctor.md](doctor.md) is about `doctor`, [authorization.md](authorization.md#explaining-a-decision) about `explain` and `rules test`, [operations.md](operations.md) about `reload`, `users`, `clients` and `sessions`, [audit.md](audit.md#a-log-that-shows-changes) about `audit verify`.',
    '',
    '| flag | meaning |',
    '|---|---|',
    ...FLAGS.map(({ name, value, help }) => `| \`--${name}${value === undefined ? '' : ` ${value}`}\` | ${help} |`),
    '',
    '`serve` writes the log, and nothing else, to standard output, and what people should know (addresses, notices) to standard error. Colours are used on terminals only, and not with `NO_COLOR`.',
    '',
    ...BESIDE_THE_FILE,
    ...TRYING_OUT,
    '### Exit codes',
    '',
    '| code | meaning |',
    '|---|---|',
    ...EXIT_CODES.map(([code, meaning]) => `| ${code} | ${meaning} |`),
    '',
  ]
}
