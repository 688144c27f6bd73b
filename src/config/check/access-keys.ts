import { findNearest } from '../../core/nearest-word.ts'
import { nameServer } from '../derive/endpoints.ts'
import { needsCallersToken } from '../derive/gets-token.ts'
import { entriesOf } from '../derive/present-items.ts'
import { findStore } from '../derive/storage.ts'
import { type ConfigPath, formatPath, quote } from '../problem/problem.ts'
import type { AccessKeyConfig } from '../schema/access-keys.ts'
import type { PartialConfig } from '../schema/partial-config.ts'
import type { ServerConfig } from '../schema/server.ts'
import type { CheckContext } from './check-context.ts'

type Key = PartialConfig<AccessKeyConfig>

/** Checks that the access keys of the file are for servers that there are, and that each is there once. */
export function checkAccessKeys(context: CheckContext): void {
  const { config, report } = context
  const places = new Map<string, string>()
  for (const [index, key] of entriesOf(config.keys)) {
    const at = ['keys', index]
    const before = key.digest === undefined ? undefined : places.get(key.digest)
    if (before !== undefined) report([...at, 'digest'], { reason: `is the one of ${before}`, fix: 'Make a key for each entry.' })
    else if (key.digest !== undefined) places.set(key.digest, formatPath(at))
    checkServers(key, at, context)
    checkUser(key, at, context)
  }
}

function checkServers(key: Key, at: ConfigPath, { config, isBroken, report }: CheckContext): void {
  const servers = new Map(entriesOf(config.servers).map(([, server]) => [nameServer(server), server]))
  for (const [index, name] of entriesOf(key.servers)) {
    const server = servers.get(name)
    if (server !== undefined && needsCallersToken(server))
      report([...at, 'servers', index], {
        reason: `${quote(name)} gets an access token of its caller, which an access key is not`,
        fix: 'Remove it here, or `forward_access_token` and `credential` there.',
      })
    if (server !== undefined || isBroken(['servers'])) continue
    const nearest = findNearest(name, servers.keys())
    report([...at, 'servers', index], {
      reason: `there is no server ${quote(name)}`,
      fix: nearest === undefined ? `Write one of ${[...servers.keys()].join(', ')}.` : `Did you mean ${quote(nearest)}?`,
    })
  }
}

/** Subjects are unique within their issuer, and only within one that is accepted a user can be anything. */
function checkUser({ for: user, issuer }: Key, at: ConfigPath, context: CheckContext): void {
  if (issuer === undefined) return
  const { isBroken, report } = context
  if (user === undefined && !isBroken([...at, 'for']))
    report([...at, 'issuer'], {
      reason: 'says whose user the key stands for, and `for` names none',
      fix: 'Add `for`, or remove it.',
    })
  if (isBroken(['issuers']) || isBroken(['servers']) || listIssuers(context).includes(issuer)) return
  report([...at, 'issuer'], {
    reason: 'is no issuer whose tokens a server accepts',
    fix: 'Write it as in `issuers`; with an `identity_provider`, it is `public_url`.',
  })
}

function listIssuers({ config }: CheckContext): readonly (string | undefined)[] {
  const { public_url: url, identity_provider: provider } = config
  const own = provider !== undefined && url !== undefined && URL.canParse(url) ? [new URL(url).origin] : []
  const listed = [config.issuers, ...entriesOf(config.servers).map(([, { issuers }]) => issuers)]
  return [...own, ...listed.flatMap((issuers) => entriesOf(issuers).map(([, { issuer }]) => issuer))]
}

/** Whether a caller can have an access key for a server: one of the file, or one that an operator makes. */
export function mayHaveKeys(server: PartialConfig<ServerConfig>, { config, isBroken }: CheckContext): boolean {
  const isNamed = entriesOf(config.keys).some(([, { servers }]) => servers?.includes(nameServer(server)))
  if (isNamed || isBroken(['keys'])) return true
  const kind = findStore(config).value?.kind ?? (config.identity_provider === undefined ? 'memory' : 'sqlite')
  const isMade = kind !== 'memory' || config.admin?.token !== undefined || isBroken(['admin'])
  return config.stored_keys !== false && (isMade || isBroken(['store']))
}
