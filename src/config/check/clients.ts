import { isUsableRedirectUri } from '../../core/redirect-uris.ts'
import { nameServer } from '../derive/endpoints.ts'
import { entriesOf } from '../derive/present-items.ts'
import { parsePublicKeys } from '../format/key-material.ts'
import type { ConfigPath } from '../problem/problem.ts'
import type { ClientConfig } from '../schema/clients.ts'
import type { PartialConfig } from '../schema/partial-config.ts'
import type { CheckContext } from './check-context.ts'
import { checkIssuerList } from './issuer.ts'

type PartialClient = PartialConfig<ClientConfig>

/** Checks the clients that the broker knows beforehand, and that what is configured for machines can be used by one. */
export function checkClients(context: CheckContext): void {
  const { broker } = context.config
  const seen = new Set<string>()
  for (const [index, client] of entriesOf(broker?.clients)) {
    const at: ConfigPath = ['broker', 'clients', index]
    checkName(client, at, seen, context)
    checkAuthentication(client, at, context)
    checkRedirects(client, at, context)
    checkServerNames(client, at, context)
  }
  checkAssertions(context)
  checkMachineIssuers('identity_assertions', context)
  checkMachineIssuers('token_exchange', context)
}

function checkName({ client_id: id }: PartialClient, at: ConfigPath, seen: Set<string>, { report }: CheckContext): void {
  if (id === undefined) return
  if (seen.has(id)) {
    report([...at, 'client_id'], { reason: 'is listed twice', fix: 'Write everything about a client into one item.' })
  }
  seen.add(id)
}

const AUTHENTICATION = ['client_secret', 'public_keys_file', 'jwks_uri'] as const

/** Who gets tokens without a user has to show who it is (RFC 6749 §4.4: "MUST only be used by confidential clients"). */
function checkAuthentication(client: PartialClient, at: ConfigPath, { isBroken, secretsAndFiles, report }: CheckContext): void {
  const given = AUTHENTICATION.filter((key) => client[key] !== undefined || isBroken([...at, key]))
  for (const key of given.slice(1)) {
    report([...at, key], { reason: `excludes \`${given[0]}\``, fix: 'Keep one way for the client to show who it is.' })
  }
  const machine = client.grants?.find((grant) => grant !== 'authorization_code')
  if (given.length === 0 && machine !== undefined) {
    report([...at, 'grants'], {
      reason: `\`${machine}\` is for clients that show who they are`,
      fix: 'Add `client_secret`, `public_keys_file` or `jwks_uri`.',
    })
  }
  const keys = secretsAndFiles.findFile(client.public_keys_file)
  if (keys === undefined || parsePublicKeys(keys).length > 0) return
  report([...at, 'public_keys_file'], {
    reason: 'holds something else than public keys that can be used',
    fix: 'Give a JWK set, a JWK or PEM of public keys: RSA of at least 2048 bits, EC on P-256, P-384 or P-521, or Ed25519.',
  })
}

function checkRedirects(client: PartialClient, at: ConfigPath, { isBroken, report }: CheckContext): void {
  if (client.grants === undefined || isBroken([...at, 'redirect_uris'])) return
  const hasUsers = client.grants.includes('authorization_code')
  const hasUris = (client.redirect_uris ?? []).length > 0
  if (hasUsers && !hasUris) {
    report([...at, 'redirect_uris'], {
      reason: 'is missing; `authorization_code` needs it',
      fix: 'Write where users are sent back to, or choose other `grants`.',
    })
  }
  for (const [index, uri] of (client.redirect_uris ?? []).entries()) {
    if (uri === undefined || isUsableRedirectUri(uri)) continue
    report([...at, 'redirect_uris', index], {
      reason: 'is no address that users can be sent back to',
      fix: 'Write https, http on a loopback address, or a private-use scheme such as com.example.app:/callback.',
    })
  }
  if (!hasUsers && hasUris) {
    report([...at, 'redirect_uris'], {
      reason: 'has no use without the grant `authorization_code`',
      fix: 'Remove it, or add the grant.',
    })
  }
}

function checkServerNames({ servers }: PartialClient, at: ConfigPath, { config, report }: CheckContext): void {
  const names = entriesOf(config.servers).map(([, server]) => nameServer(server))
  for (const [index, name] of (servers ?? []).entries()) {
    if (name === undefined || names.includes(name)) continue
    report([...at, 'servers', index], { reason: 'is the name of no server', fix: `Write one of: ${names.join(', ')}.` })
  }
}

/** An issuer that no client may use, and a grant that can't be used, are both mistakes. */
function checkAssertions({ config, isBroken, report }: CheckContext): void {
  const at: ConfigPath = ['broker', 'identity_assertions', 'issuers']
  if (isBroken(at) || isBroken(['broker', 'clients'])) return
  const hasIssuers = (config.broker?.identity_assertions?.issuers ?? []).length > 0
  const users = entriesOf(config.broker?.clients).filter(([, { grants }]) => grants?.includes('jwt_bearer'))
  if (hasIssuers && users.length === 0) {
    report(at, { reason: 'have no use: no client has the grant `jwt_bearer`', fix: 'Add it to `broker.clients[].grants`.' })
  }
  const [first] = users
  if (first === undefined || hasIssuers) return
  report(['broker', 'clients', first[0], 'grants'], {
    reason: '`jwt_bearer` needs `broker.identity_assertions.issuers`',
    fix: 'List the identity providers whose assertions are accepted.',
  })
}

/** Our own word about a user is no other's; and keys of ours are not fetched from ourselves. */
function checkMachineIssuers(key: 'identity_assertions' | 'token_exchange', context: CheckContext): void {
  const { config, report } = context
  const at: ConfigPath = ['broker', key, 'issuers']
  const { issuers } = config.broker?.[key] ?? {}
  checkIssuerList(issuers, at, context)
  for (const [index, { issuer, introspection }] of entriesOf(issuers)) {
    if (issuer !== undefined && issuer === config.public_url) {
      report([...at, index, 'issuer'], { reason: 'is this proxy itself', fix: 'Remove it: it is not needed.' })
    }
    if (introspection !== undefined && key === 'identity_assertions') {
      report([...at, index, 'introspection'], { reason: 'has no use: assertions are signed', fix: 'Remove it.' })
    }
  }
}
