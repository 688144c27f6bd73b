import { formatPath, quote } from '../problem/problem.ts'
import type { ConfigInput } from '../schema/schema.ts'
import type { GoProxyConfig } from './schema.ts'
import type { GoNotes } from './translation-notes.ts'

type Rewrite = NonNullable<ConfigInput['rewrite']>
type PathRewrite = NonNullable<NonNullable<GoProxyConfig['default']>['path']>[string]

/** The requests of the OAuth flow that the Go proxy passed on, and what it served of metadata. */
interface GoFlow {
  readonly base: string
  readonly paths: Readonly<Record<string, PathRewrite>>
  readonly mapping: Readonly<Record<string, string>>
  readonly document: Readonly<Record<string, unknown>>
}

const METADATA_DOCUMENT = '/.well-known/oauth-authorization-server'
const FLOW = ['/authorize', '/token', '/register', METADATA_DOCUMENT, '/authroize']

/** What our metadata says by itself, or must not repeat. */
const OWN_MEMBERS = new Set([
  'issuer',
  'authorization_endpoint',
  'token_endpoint',
  'registration_endpoint',
  'authorization_response_iss_parameter_supported',
])

/** What the translation of `default` and `path_mapping` adds to a configuration. */
export interface GoRewriting {
  readonly rewrite: Rewrite
  /** Audiences that the added parameters ask for. */
  readonly audience: readonly string[]
}

/**
 * Translates the way in which the Go proxy changed requests of the OAuth flow and passed them on.
 *
 * @param issuer - of the tokens
 * @returns undefined where nothing was changed
 */
export function translateRewriting(go: GoProxyConfig, issuer: string, notes: GoNotes): GoRewriting | undefined {
  const flow = readFlow(go)
  if (flow === undefined) return undefined
  const { paths, document } = flow
  const misspelt = paths['/authroize']
  const authorization = {
    ...listParameters(misspelt, 'addQueryParams'),
    ...listParameters(paths['/authorize'], 'addQueryParams'),
  }
  const token = listParameters(paths['/token'], 'addBodyParams')
  const registration = listParameters(paths['/register'], 'addBodyParams')
  const rewrite: Rewrite = {
    issuer,
    authorization_endpoint: findEndpoint(flow, '/authorize', document.authorization_endpoint),
    token_endpoint: findEndpoint(flow, '/token', document.token_endpoint),
    registration_endpoint: findEndpoint(flow, '/register', document.registration_endpoint),
    ...(Object.keys(authorization).length > 0 && { authorization_parameters: authorization }),
    ...(Object.keys(token).length > 0 && { token_parameters: token }),
    ...(Object.keys(registration).length > 0 && { registration_parameters: registration }),
    metadata: Object.fromEntries(Object.entries(document).filter(([name]) => !OWN_MEMBERS.has(name))),
  }
  if (misspelt !== undefined) notes.note(formatPath(['default', 'path', '/authroize']), 'is read as /authorize.')
  noteReach(go, issuer, notes)
  return { rewrite, audience: findAudiences(rewrite, authorization, token) }
}

function readFlow(go: GoProxyConfig): GoFlow | undefined {
  const base = go.default?.base_url || go.auth_server_base_url
  const paths = go.default?.path ?? {}
  const mapping = go.path_mapping ?? {}
  const isChanged = FLOW.some((path) => Object.hasOwn(mapping, path) || changesFlow(paths[path]))
  if (base === undefined || !isChanged) return undefined
  const response = paths[METADATA_DOCUMENT]?.response ?? {}
  return { base: base.replace(/\/+$/, ''), paths, mapping, document: response }
}

function changesFlow(path: PathRewrite | undefined): boolean {
  return path !== undefined && [path.response, path.addQueryParams, path.addBodyParams].some((part) => part !== undefined)
}

/** Where the Go proxy sent requests of a path, unless its metadata sent clients somewhere else in the first place. */
function findEndpoint({ base, mapping }: GoFlow, path: string, documented: unknown): string {
  if (typeof documented === 'string' && URL.canParse(documented) && URL.parse(documented)?.pathname !== path) return documented
  if (typeof documented === 'string' && URL.parse(documented)?.origin === URL.parse(base)?.origin) return documented
  return base + (mapping[path] ?? path)
}

function listParameters(path: PathRewrite | undefined, key: 'addQueryParams' | 'addBodyParams'): Record<string, string> {
  return Object.fromEntries((path?.[key] ?? []).map(({ name, value }) => [name, value ?? '']))
}

/** Who asks for an audience gets tokens for it. */
function findAudiences(rewrite: Rewrite, ...parameters: readonly Readonly<Record<string, string>>[]): string[] {
  const inUrl = URL.parse(rewrite.authorization_endpoint)?.searchParams.getAll('audience') ?? []
  const added = parameters.flatMap(({ audience }) => (audience === undefined ? [] : [audience]))
  return [...new Set([...inUrl, ...added])].filter((audience) => audience !== '')
}

/** What this way cannot do, and the lines to write instead of it. */
function noteReach(go: GoProxyConfig, issuer: string, notes: GoNotes): void {
  const realm = /^(?<base>https?:\/\/.+)\/realms\/(?<realm>[^/]+)$/.exec(issuer)?.groups
  const key = go.default === undefined ? 'auth_server_base_url' : 'default'
  notes.note(
    key,
    'requests to /authorize, /token and /register are passed on to the identity provider, with what is to be added (`rewrite`); browsers are sent to its own pages instead of being served copies.',
  )
  notes.note(
    key,
    realm === undefined
      ? 'clients that check `iss` in the redirect (MCP SDK 2, Claude Code, Gemini CLI, Goose) cannot sign in this way once the identity provider sends it, and those that only know client ID metadata documents never can.'
      : 'Keycloak sends `iss` in the redirect: clients that check it (MCP SDK 2, Claude Code, Gemini CLI, Goose) cannot sign in this way, nor can those that only know client ID metadata documents; those of MCP SDK 1 can. It puts no audience into tokens because of a parameter: add an audience mapper.',
  )
  notes.note(
    key,
    `every client is served by ${formatBetterWay(issuer, realm)} in a file of the new format (\`migrate\` prints the rest of it).`,
  )
}

function formatBetterWay(issuer: string, realm: Record<string, string | undefined> | undefined): string {
  const client = 'client_id: …, client_secret: { env: NAME }'
  if (realm !== undefined)
    return `\`identity_provider: { kind: keycloak, base_url: ${quote(realm.base ?? '')}, realm: ${quote(realm.realm ?? '')}, ${client} }\``
  const { hostname } = new URL(issuer)
  return hostname.endsWith('.auth0.com')
    ? `\`identity_provider: { kind: auth0, domain: ${quote(hostname)}, ${client} }\``
    : `\`identity_provider: { issuer: ${quote(issuer)}, ${client} }\``
}
