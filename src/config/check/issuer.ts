import { needsCallersToken } from '../derive/gets-token.ts'
import { entriesOf } from '../derive/present-items.ts'
import { findStore } from '../derive/storage.ts'
import type { ConfigPath } from '../problem/problem.ts'
import type { IssuerConfig } from '../schema/issuer.ts'
import type { PartialConfig } from '../schema/partial-config.ts'
import type { ServerConfig } from '../schema/server.ts'
import { mayHaveKeys } from './access-keys.ts'
import type { CheckContext } from './check-context.ts'
import { checkOAuthClient } from './oauth-client.ts'
import { checkSharedIssuers, checkWorkloadIssuer } from './workload-issuer.ts'

type IssuerList = readonly (PartialConfig<IssuerConfig> | undefined)[] | undefined

/** Checks that every server has issuers, each once, and that introspection can authenticate. */
export function checkIssuers(context: CheckContext): void {
  const { config, isBroken, report } = context
  checkIssuerList(config.issuers, ['issuers'], context)
  checkSharedIssuers(context)
  for (const [index, server] of entriesOf(config.servers)) {
    const at = ['servers', index, 'issuers']
    checkIssuerList(server.issuers, at, context)
    const inherited = server.issuers ?? config.issuers ?? []
    if (server.issuers?.length === 0) {
      checkKeysOnly(server, at, context)
      continue
    }
    if (
      inherited.length > 0 ||
      config.identity_provider !== undefined ||
      isBroken(['identity_provider']) ||
      isBroken(['issuers']) ||
      isBroken(at)
    )
      continue
    report(at, {
      reason: 'no issuer is configured for this server',
      fix: 'List the authorization servers whose tokens it accepts here, or under `issuers` at the top for every server. For callers with access keys only, write `issuers: []` here.',
    })
  }
}

/** An empty list is a choice, where there can be keys, and a caller with a key can be served. */
function checkKeysOnly(server: PartialConfig<ServerConfig>, at: ConfigPath, context: CheckContext): void {
  if (needsCallersToken(server) && server.credential?.kind !== 'identity_provider_token')
    return context.report(at, {
      reason:
        'is empty, so that only access keys are accepted, and the MCP server gets a token of its caller, which a key is not',
      fix: 'List the issuer whose tokens callers have, or remove `forward_access_token` and `credential` (`credential: { kind: client_credentials }` needs no caller).',
    })
  if (mayHaveKeys(server, context)) return
  context.report(at, {
    reason: 'is empty, so that only access keys are accepted, and there can be none',
    fix: `${explainKeys(context)} Or list an issuer.`,
  })
}

/** How there could be access keys. */
function explainKeys({ config }: CheckContext): string {
  const inFile = 'Add an entry to `keys` that names this server'
  if (config.stored_keys === false) return `${inFile}, or remove \`stored_keys: false\`.`
  const isMemory = findStore(config).value?.kind === 'memory'
  const store = isMemory ? 'a `store.kind` other than `memory`' : 'a `store` of kind `sqlite` or `redis`'
  return `${inFile}; or, to make keys with \`keys create\`, write ${store}, or \`admin.token\`.`
}

/** Checks that a list holds no issuer twice, and that introspection can authenticate. */
export function checkIssuerList(issuers: IssuerList, at: ConfigPath, context: CheckContext): void {
  const seen = new Set<string>()
  for (const [index, issuer] of entriesOf(issuers)) {
    if (issuer.issuer !== undefined && seen.has(issuer.issuer)) {
      context.report([...at, index, 'issuer'], {
        reason: 'is listed twice',
        fix: 'Write everything about an issuer into one item.',
      })
    }
    if (issuer.issuer !== undefined) seen.add(issuer.issuer)
    checkWorkloadIssuer(issuer, [...at, index], context)
    if (issuer.introspection) checkOAuthClient(issuer.introspection, [...at, index, 'introspection'], context)
  }
}
