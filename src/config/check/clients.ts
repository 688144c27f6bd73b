import { isUsableRedirectUri } from '../../core/redirect-uris.ts'
import { nameServer } from '../derive/endpoints.ts'
import { entriesOf } from '../derive/present-items.ts'
import { parsePublicKeys } from '../format/key-material.ts'
import type { ConfigPath } from '../problem/problem.ts'
import type { ClientConfig } from '../schema/clients.ts'
import type { Draft } from '../schema/partial-config.ts'
import type { Inspection } from './check-context.ts'
import { checkIssuerList } from './issuer.ts'

type DraftClient = Draft<ClientConfig>

/** Checks the clients that the broker knows beforehand, and that what is configured for machines can be used by one. */
export function checkClients(inspection: Inspection): void {
  const { broker } = inspection.draft
  const seen = new Set<string>()
  for (const [index, client] of entriesOf(broker?.clients)) {
    const at: ConfigPath = ['broker', 'clients', index]
    checkName(client, at, seen, inspection)
    checkAuthentication(client, at, inspection)
    checkRedirects(client, at, inspection)
    checkServerNames(client, at, inspection)
  }
  checkAssertions(inspection)
  checkMachineIssuers('identity_assertions', inspection)
  checkMachineIssuers('token_exchange', inspection)
}

function checkName({ client_id: id }: DraftClient, at: ConfigPath, seen: Set<string>, { report }: Inspection): void {
  if (id === undefined) return
  if (seen.has(id)) {
    report([...at, 'client_id'], { reason: 'is listed twice', fix: 'Write everything about a client into one item.' })
  }
  seen.add(id)
}

const AUTHENTICATION = ['client_secret', 'public_keys_file', 'jwks_uri'] as const

/** Who gets tokens without a user has to show who it is (RFC 6749 §4.4: "MUST only be used by confidential clients"). */
function checkAuthentication(client: DraftClient, at: ConfigPath, { isBroken, material, report }: Inspection): void {
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
  const keys = material.findFile(client.public_keys_file)
  if (keys === undefined || parsePublicKeys(keys).length > 0) return
  report([...at, 'public_keys_file'], {
    reason: 'holds something else than public keys that can be used',
    fix: 'Give a JWK set, a JWK or PEM of public keys: RSA of at least 2048 bits, EC on P-256, P-384 or P-521, or Ed25519.',
  })
}

function checkRedirects(client: DraftClient, at: ConfigPath, { isBroken, report }: Inspection): void {
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

function checkServerNames({ servers }: DraftClient, at: ConfigPath, { draft, report }: Inspection): void {
  const names = entriesOf(draft.servers).map(([, server]) => nameServer(server))
  for (const [index, name] of (servers ?? []).entries()) {
    if (name === undefined || names.includes(name)) continue
    report([...at, 'servers', index], { reason: 'is the name of no server', fix: `Write one of: ${names.join(', ')}.` })
  }
}

/** An issuer that nobody may use, and a grant that can't be used, are both mistakes. */
function checkAssertions({ draft, isBroken, report }: Inspection): void {
  const at: ConfigPath = ['broker', 'identity_assertions', 'issuers']
  if (isBroken(at) || isBroken(['broker', 'clients'])) return
  const hasIssuers = (draft.broker?.identity_assertions?.issuers ?? []).length > 0
  const users = entriesOf(draft.broker?.clients).filter(([, { grants }]) => grants?.includes('jwt_bearer'))
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
function checkMachineIssuers(key: 'identity_assertions' | 'token_exchange', inspection: Inspection): void {
  const { draft, report } = inspection
  const at: ConfigPath = ['broker', key, 'issuers']
  const { issuers } = draft.broker?.[key] ?? {}
  checkIssuerList(issuers, at, inspection)
  for (const [index, { issuer, introspection }] of entriesOf(issuers)) {
    if (issuer !== undefined && issuer === draft.public_url) {
      report([...at, index, 'issuer'], { reason: 'is this proxy itself', fix: 'Remove it: it is not needed.' })
    }
    if (introspection !== undefined && key === 'identity_assertions') {
      report([...at, index, 'introspection'], { reason: 'has no use: assertions are signed', fix: 'Remove it.' })
    }
  }
}
