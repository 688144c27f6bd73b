import { IDENTITY_KEYS_PATH } from '../../core/broker-paths.ts'
import { listEndpoints } from '../derive/endpoints.ts'
import { getsCredential } from '../derive/gets-token.ts'
import { entriesOf } from '../derive/present-items.ts'
import { findStore } from '../derive/storage.ts'
import { listKeyAlgorithms, parsePrivateKey } from '../format/key-material.ts'
import type { ConfigPath, Mistake } from '../problem/problem.ts'
import type { IdentityConfig } from '../schema/identity.ts'
import type { PartialConfig } from '../schema/partial-config.ts'
import type { ServerConfig } from '../schema/server.ts'
import type { CheckContext } from './check-context.ts'
import { findOwnHeaderMistake } from './header-values.ts'
import { checkIdentityEnv } from './identity-env.ts'

type Server = PartialConfig<ServerConfig>
type Identity = PartialConfig<IdentityConfig>

/** Claims that are ours to say, or that would make another kind of token of an assertion. */
const OURS = new Set([
  ...['iss', 'aud', 'exp', 'nbf', 'iat', 'jti', 'sub', 'client_id', 'scope', 'act', 'operations', 'token_iss', 'token_sub'],
  ...['azp', 'scp', 'may_act', 'cnf', 'nonce', 'events', 'typ', 'token_use', 'token_type', 'at_hash', 'sub_id'],
])
/** Those that say who calls. */
const PLAIN = new Set(['iss', 'sub', 'client_id', 'scope'])

const NO_PROCESS: Mistake = {
  reason: 'is for an MCP server that is a `command`; one over HTTP is told in headers',
  fix: 'Remove it, or use `headers`.',
}

/** Checks how each MCP server is told who calls. */
export function checkIdentity(context: CheckContext): void {
  const servers = entriesOf(context.config.servers)
  for (const [index, server] of servers) {
    if (server.identity === undefined) continue
    const at = ['servers', index, 'identity']
    if (server.upstream?.command !== undefined) {
      checkProcessIdentity(server.identity, at, context)
      checkIdentityEnv(server, at, context)
      checkClaims(server.identity, at, context)
      continue
    }
    if (Object.keys(server.identity.env ?? {}).length > 0) context.report([...at, 'env'], NO_PROCESS)
    checkHeaders(server, server.identity, at, context)
    checkClaims(server.identity, at, context)
    if (server.identity.assertion === false) continue
    checkKeys(server.identity, at, context)
    checkAudience(server.identity, at, context)
  }
  if (servers.some(([, { identity }]) => identity !== undefined)) checkPath(context)
}

/** A process is told in `_meta`, which needs no signature: only we write to it. */
function checkProcessIdentity(identity: Identity, at: ConfigPath, { report }: CheckContext): void {
  const isSet = {
    assertion: identity.assertion === false,
    audience: identity.audience !== undefined,
    operation: identity.operation === true,
    key: identity.key !== undefined,
    other_keys: (identity.other_keys ?? []).length > 0,
    headers: Object.keys(identity.headers ?? {}).length > 0,
  }
  for (const [key, isThere] of Object.entries(isSet)) {
    if (!isThere) continue
    report([...at, key], {
      reason: 'is for MCP servers over HTTP; one that is a `command` is told in `_meta` of each request and with `env`, unsigned',
      fix: 'Remove it.',
    })
  }
}

/** Each name once, and none that means something else. */
function checkHeaders(server: Server, identity: Identity, at: ConfigPath, { report }: CheckContext): void {
  const taken = new Map<string, string>()
  for (const upstream of [server.upstream, server.sse?.upstream]) {
    for (const name of Object.keys(upstream?.headers ?? {})) taken.set(name.toLowerCase(), 'upstream.headers')
  }
  if (server.forward_access_token === true) taken.set('authorization', 'forward_access_token')
  if (getsCredential(server)) taken.set('authorization', 'credential')
  const check = (name: string, place: ConfigPath, own: string): void => {
    const mistake = findIdentityHeaderMistake(name, taken, own)
    if (mistake) report(place, mistake)
    taken.set(name.toLowerCase(), own)
  }
  if (identity.assertion !== false && identity.header !== undefined) check(identity.header, [...at, 'header'], 'identity.header')
  for (const name of Object.keys(identity.headers ?? {})) check(name, [...at, 'headers', name], 'identity.headers')
}

function findIdentityHeaderMistake(name: string, taken: ReadonlyMap<string, string>, own: string): Mistake | undefined {
  const lower = name.toLowerCase()
  const owner = taken.get(lower)
  if (owner !== undefined)
    return { reason: `is a header that \`${owner}\` sets, too`, fix: 'Choose another header, or remove one of the two.' }
  if (!/^[a-z0-9]+(?:-[a-z0-9]+)*$/.test(lower))
    return {
      reason:
        'is no name that reads alike everywhere: frameworks turn other characters than letters, digits and `-` into one another',
      fix: 'Write it like X-User.',
    }
  if (lower === 'authorization' && own === 'identity.headers')
    return { reason: 'holds credentials, not claims', fix: 'Choose another header.' }
  return findOwnHeaderMistake(lower)
}

function checkClaims(identity: Identity, at: ConfigPath, { report }: CheckContext): void {
  for (const [index, claim] of entriesOf(identity.claims)) {
    if (OURS.has(claim))
      report([...at, 'claims', index], { reason: 'is a claim that the proxy itself decides on', fix: 'Remove it.' })
  }
  for (const key of ['headers', 'env'] as const) {
    for (const [name, source] of Object.entries(identity[key] ?? {})) {
      const { claim } = source ?? {}
      if (claim === undefined || !OURS.has(claim) || PLAIN.has(claim)) continue
      report([...at, key, name, 'claim'], {
        reason: 'says something of a token, not of who calls',
        fix: 'Name another claim.',
      })
    }
  }
}

const MAKE_KEY = 'Make one with `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`.'

function checkKeys({ key, other_keys: others }: Identity, at: ConfigPath, context: CheckContext): void {
  const { config, isBroken, report, secretsAndFiles } = context
  if (isBroken([...at, 'key'])) return
  if (key === undefined) checkStoredKeys(others, at, context)
  const keys: (readonly [ConfigPath, PartialConfig<NonNullable<IdentityConfig['key']>> | undefined])[] = [
    [[...at, 'key'], key],
    ...entriesOf(others).map(([index, one]) => [[...at, 'other_keys', index], one] as const),
  ]
  const seen = new Set([secretsAndFiles.findFile(config.listen?.tls?.key_file)?.trim()])
  for (const [place, reference] of keys) {
    const text = secretsAndFiles.findSecret(reference)?.trim()
    if (text === undefined) continue
    const parsed = parsePrivateKey(text)
    if (parsed === undefined || listKeyAlgorithms(parsed)[0] !== 'ES256')
      report(place, { reason: 'is not a private key on the curve P-256', fix: MAKE_KEY })
    else if (seen.has(text)) report(place, { reason: 'is a key that is used elsewhere, too', fix: MAKE_KEY })
    seen.add(text)
  }
}

/** Keys that end with the process are good for one process. */
function checkStoredKeys(others: Identity['other_keys'], at: ConfigPath, { config, report, isBroken }: CheckContext): void {
  if ((others ?? []).length > 0)
    report([...at, 'other_keys'], { reason: 'is published beside `key`, and there is none', fix: 'Add `key`, or remove this.' })
  const { value: store } = findStore(config)
  const hasStore = store !== undefined || config.identity_provider !== undefined || isBroken(['store'])
  if (!hasStore)
    return report([...at, 'key'], {
      reason: 'is missing, and there is no `store` either: something has to keep the key that signs assertions',
      fix: `Write \`key\` as { env: NAME } or { file: path }, or add \`store\` with \`encryption_keys\`. ${MAKE_KEY}`,
    })
  if (store?.kind === 'memory' && (config.replicas ?? 1) > 1)
    report([...at, 'key'], {
      reason: 'is missing, and `store.kind: memory` gives each of the `replicas` keys that the others do not publish',
      fix: `Write \`key\` as { env: NAME } or { file: path }, or share a store. ${MAKE_KEY}`,
    })
}

/** An assertion must never be meant for ourselves, nor for two MCP servers that are not one. */
function checkAudience({ audience }: Identity, at: ConfigPath, context: CheckContext): void {
  if (audience === undefined) return checkDefaultAudience(at, context)
  const { config, report } = context
  const own = entriesOf(config.servers).flatMap(([, server]) => [
    ...entriesOf(server.audience).map(([, accepted]) => accepted),
    ...listEndpoints(server).map(({ path }) => `${config.public_url ?? ''}${path}`),
  ])
  checkSharedAudience(audience, at, context)
  if (audience !== config.public_url && !own.includes(audience)) return
  report([...at, 'audience'], {
    reason: 'is an audience that the proxy itself accepts',
    fix: 'Name the MCP server, or remove it: its URL is the audience then.',
  })
}

/** What one MCP server gets must be no assertion for another one, which may be hostile. */
function checkSharedAudience(audience: string, at: ConfigPath, { config, report }: CheckContext): void {
  const servers = entriesOf(config.servers)
  const own = servers.find(([index]) => index === at[1])?.[1].upstream
  const owner = servers.find(([index, { identity, upstream }]) => {
    const isAsserted = identity !== undefined && identity.assertion !== false
    const isSame = upstream?.url === own?.url && upstream?.socket === own?.socket
    return index !== at[1] && isAsserted && !isSame && (identity.audience ?? upstream?.url) === audience
  })
  if (owner === undefined) return
  report([...at, 'audience'], {
    reason: `is the audience of servers[${owner[0]}], which is another MCP server: each could show the other's assertions`,
    fix: 'Write an audience that only this MCP server accepts.',
  })
}

/** Over Unix sockets, the URLs of different MCP servers may be alike. */
function checkDefaultAudience(at: ConfigPath, { config, report }: CheckContext): void {
  const servers = entriesOf(config.servers)
  const own = servers.find(([index]) => index === at[1])?.[1].upstream
  const isOther = ({ upstream }: Server) => upstream?.url === own?.url && upstream?.socket !== own?.socket
  if (own?.url === undefined || !servers.some(([, server]) => isOther(server))) return
  report([...at, 'audience'], {
    reason: 'is missing, and the URL of this MCP server is that of another one behind another socket',
    fix: 'Write an audience that only this MCP server accepts.',
  })
}

function checkPath({ config, report }: CheckContext): void {
  for (const [index, server] of entriesOf(config.servers)) {
    for (const { path, at } of listEndpoints(server)) {
      if (path !== IDENTITY_KEYS_PATH && !path.startsWith(`${IDENTITY_KEYS_PATH}/`)) continue
      report(['servers', index, ...at], {
        reason: `is a path at which the proxy publishes keys (${IDENTITY_KEYS_PATH})`,
        fix: 'Choose another path, for example /mcp.',
      })
    }
  }
}
