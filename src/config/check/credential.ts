import { findCallersIssuer } from '../derive/callers-issuer.ts'
import { entriesOf } from '../derive/present-items.ts'
import type { ConfigPath } from '../problem/problem.ts'
import { type CredentialConfig, DELEGATED_CREDENTIALS, OWN_ACCOUNT, type TokenIssuerConfig } from '../schema/credential.ts'
import type { PartialConfig } from '../schema/partial-config.ts'
import type { ServerConfig } from '../schema/server.ts'
import type { CheckContext } from './check-context.ts'
import { checkOAuthClient, checkPrivateKey } from './oauth-client.ts'
import { checkAuthorities } from './secrets-and-files.ts'

type Credential = PartialConfig<CredentialConfig>
type Kind = CredentialConfig['kind']

/** Checks that the credential of each server has what its kind needs, and nothing that would mean nothing. */
export function checkCredentials(context: CheckContext): void {
  for (const [index, server] of entriesOf(context.config.servers)) {
    const at: ConfigPath = ['servers', index, 'credential']
    const { credential } = server
    if (credential?.kind === undefined) continue
    checkPlace(server, credential.kind, ['servers', index], context)
    if (credential.kind === 'identity_provider_token' || credential.kind === OWN_ACCOUNT) checkProviderToken(server, at, context)
    if (credential.kind === OWN_ACCOUNT) checkOwnAccount(server, credential, at, context)
    checkUselessKeys(credential, credential.kind, at, context)
    if (credential.kind === OWN_ACCOUNT) checkAuthorities(credential.ca_file, [...at, 'ca_file'], context)
    if (isDelegated(credential.kind)) checkDelegation(server, credential, at, context)
  }
}

function isDelegated(kind: Kind): kind is (typeof DELEGATED_CREDENTIALS)[number] {
  return DELEGATED_CREDENTIALS.some((delegated) => delegated === kind)
}

/** Tokens travel in the header `Authorization`, which has room for one, and programs have no headers. */
function checkPlace(server: PartialConfig<ServerConfig>, kind: Kind, at: ConfigPath, { report }: CheckContext): void {
  const forwards = server.forward_access_token === true
  if (kind !== 'none' && forwards)
    report([...at, 'credential'], {
      reason: 'excludes `forward_access_token`: both are the Authorization header',
      fix: 'Remove one of the two.',
    })
  if (server.upstream?.command === undefined || (kind === 'none' && !forwards)) return
  report([...at, kind === 'none' ? 'forward_access_token' : 'credential'], {
    reason: 'has no use beside `command`: a program gets no headers',
    fix: 'Remove it, or run the MCP server over HTTP.',
  })
}

/** What is there for callers whom the broker knows alone: tokens of the identity provider, and accounts that users connect in a browser. */
function checkProviderToken(
  server: PartialConfig<ServerConfig>,
  at: ConfigPath,
  { config, isBroken, report }: CheckContext,
): void {
  const hasBroker = config.identity_provider !== undefined || isBroken(['identity_provider'])
  if (hasBroker && server.issuers === undefined && (config.issuers ?? []).length === 0) return
  report(at, {
    reason: 'needs an `identity_provider`, and no other `issuers`: their users do not sign in with the proxy',
    fix: 'Add `identity_provider` and remove `issuers`, or write `credential: none`.',
  })
}

const OF_OWN_ACCOUNT = ['client_id', 'client_secret', 'private_key', 'algorithm', 'key_id', 'issuer', 'ca_file', 'scopes']

/**
 * A client of the configuration is good at one authorization server: which one must not be for the MCP server to say, or it could have the
 * secret sent elsewhere.
 */
function checkOwnAccount(
  server: PartialConfig<ServerConfig>,
  credential: Credential,
  at: ConfigPath,
  context: CheckContext,
): void {
  const { report, isBroken } = context
  const place = at.slice(0, -1)
  if (server.sse !== undefined)
    report([...place, 'sse'], {
      // `askForAccount` answers a POST, and the clients of 2024-11-05 read answers on the event stream alone.
      reason:
        'is not supported with `own_account`: a user who has to connect an account could not be asked, since clients of HTTP+SSE show no answer to a POST',
      fix: 'Remove it and serve Streamable HTTP (`path` and `upstream`), or choose another credential.',
    })
  if (server.upstream?.socket !== undefined)
    report([...place, 'upstream', 'socket'], {
      reason: 'is not supported with `own_account`: authorization servers issue tokens for URLs, and there is none',
      fix: 'Reach the MCP server by its URL.',
    })
  if (credential.client_id === undefined && (credential.client_secret ?? credential.private_key) !== undefined)
    report([...at, 'client_id'], { reason: 'is missing', fix: 'Write the client id that the secret belongs to.' })
  if (credential.client_id === undefined) return
  if (credential.issuer === undefined && !isBroken([...at, 'issuer']))
    report([...at, 'issuer'], {
      reason: 'is missing; a `client_id` is good at one authorization server',
      fix: 'Write the issuer identifier of the authorization server that knows the client.',
    })
  const isPublic = credential.client_secret === undefined && credential.client_authentication !== 'private_key_jwt'
  if (!isPublic) checkOAuthClient(credential, at, context)
  checkPrivateKey(credential, at, context)
}

const OF_ISSUER = [
  'issuer',
  'metadata_url',
  'token_endpoint',
  'client_id',
  'client_secret',
  'private_key',
  'algorithm',
  'key_id',
  'ca_file',
] as const

/** Which keys mean something to which kinds; `scopes` and those of the authorization server to all that are issued. */
const KINDS_OF_KEY: Readonly<Record<string, readonly Kind[]>> = {
  ...Object.fromEntries(
    [...OF_ISSUER, 'scopes'].map((key) => {
      return [key, OF_OWN_ACCOUNT.includes(key) ? [...DELEGATED_CREDENTIALS, OWN_ACCOUNT] : DELEGATED_CREDENTIALS]
    }),
  ),
  audience: ['token_exchange', 'client_credentials'],
  resource: ['token_exchange', 'client_credentials', 'identity_assertion'],
  subject_token_type: ['token_exchange', 'identity_assertion'],
  identity_provider: ['identity_assertion'],
}

function checkUselessKeys(credential: Credential, kind: Kind, at: ConfigPath, { report }: CheckContext): void {
  for (const [key, kinds] of Object.entries(KINDS_OF_KEY)) {
    const value = (credential as Readonly<Record<string, unknown>>)[key]
    const isAbsent = value === undefined || (Array.isArray(value) && value.length === 0)
    if (isAbsent || kinds.includes(kind)) continue
    report([...at, key], { reason: `has no use with \`kind: ${kind}\``, fix: `Remove it. It is for ${kinds.join(', ')}.` })
  }
}

function checkDelegation(
  server: PartialConfig<ServerConfig>,
  credential: Credential,
  at: ConfigPath,
  context: CheckContext,
): void {
  const { report, isBroken, config } = context
  checkTokenIssuer(credential, at, context)
  const hasDefault = credential.kind === 'token_exchange' || credential.kind === 'on_behalf_of'
  const callers = findCallersIssuer({ issuers: config.issuers, hasProvider: config.identity_provider !== undefined }, server)
  const isKnown = credential.issuer !== undefined || (hasDefault && callers.kind !== 'unclear')
  if (!isKnown && !isBroken([...at, 'issuer']) && !isBroken(['issuers']) && !isBroken(['identity_provider']))
    report([...at, 'issuer'], {
      reason: 'is missing',
      fix: 'Write the issuer identifier of the authorization server that issues tokens for the MCP server.',
    })
  if (credential.kind === 'on_behalf_of' && credential.scopes?.length === 0)
    report([...at, 'scopes'], {
      reason: 'is missing; `on_behalf_of` needs it',
      fix: 'Write the scope of the API behind the MCP server, for example api://00000000-…/.default.',
    })
  if (credential.kind === 'identity_assertion') checkAssertion(credential, at, context)
}

/** Where the assertion comes from: a client of its own, or the one with which users sign in. */
function checkAssertion(credential: Credential, at: ConfigPath, context: CheckContext): void {
  const { config, report, isBroken } = context
  const provider = credential.identity_provider
  if (provider !== undefined) {
    checkTokenIssuer(provider, [...at, 'identity_provider'], context)
    if (provider.issuer === undefined && !isBroken([...at, 'identity_provider', 'issuer']))
      report([...at, 'identity_provider', 'issuer'], {
        reason: 'is missing',
        fix: 'Write the issuer identifier of the identity provider.',
      })
    return
  }
  if (isBroken([...at, 'identity_provider']) || isBroken(['identity_provider'])) return
  const { client_id: id, client_secret: secret } = config.identity_provider ?? {}
  if (id !== undefined && secret !== undefined) return
  report([...at, 'identity_provider'], {
    reason: 'is missing; `identity_assertion` needs a client with a secret at the identity provider',
    fix: 'Write its issuer, client_id and client_secret.',
  })
}

function checkTokenIssuer(client: PartialConfig<TokenIssuerConfig>, at: ConfigPath, context: CheckContext): void {
  if (client.client_id === undefined && !context.isBroken([...at, 'client_id']))
    context.report([...at, 'client_id'], {
      reason: 'is missing',
      fix: 'Write the id of the client that the authorization server has for this proxy.',
    })
  checkOAuthClient(client, at, context)
  checkPrivateKey(client, at, context)
  checkAuthorities(client.ca_file, [...at, 'ca_file'], context)
}
