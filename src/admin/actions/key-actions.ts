import { ACCESS_KEY_ISSUER, type AccessKey, nameAccessKeyId } from '../../core/access-key.ts'
import type { AccessKeyRegister, RegisteredKey } from '../../core/access-key-register.ts'
import { isNetwork } from '../../core/address-list.ts'
import type { Clock } from '../../core/clock.ts'
import { ProxyError } from '../../core/errors.ts'
import { isScopeToken } from '../../core/scope-token.ts'
import type { ActionInput, AdminAction } from '../admin-action.ts'
import { chooseIssuer, type KnownIssuer } from './known-issuers.ts'
import { demand, invalidInput, readMembers } from './read-members.ts'

/** A server that keys may be for. */
export interface KeyServer {
  readonly name: string
  /** Whether its MCP server gets a token of the caller, which a key is not. */
  readonly needsToken: boolean
}

/** What is odd about the scopes of a key. */
export type FindScopeNotices = (key: AccessKey) => readonly string[]

export interface KeyActionOptions {
  readonly register: AccessKeyRegister
  /** Those of now: a reload may change them. */
  readonly listServers: () => readonly KeyServer[]
  readonly listIssuers: () => readonly KnownIssuer[]
  /** Whether keys of the store are accepted at all. */
  readonly acceptsStored: () => boolean
  /** Whether other processes see what this one does. */
  readonly isShared: boolean
  readonly findScopeNotices: FindScopeNotices
  readonly clock: Clock
}

const USUAL_SECONDS = 90 * 86_400
const MAX_SECONDS = 366 * 86_400
const DIGEST = /^sha256:[0-9a-f]{64}$/
/** As names of servers are in the configuration. */
const NAME = /^[\w.-]{1,64}$/

/** `keys create`: makes a key known by its digest. The key itself is made, and seen, by the caller alone. */
export function createKeyAddAction(options: KeyActionOptions): AdminAction {
  return async (input) => {
    if (!options.acceptsStored()) throw invalidInput('stored_keys is false: keys of the store are not accepted')
    const key = readKey(input, options)
    await options.register.add(key)
    const notices = options.findScopeNotices(key)
    return { ...describeKey(key), shared: options.isShared, ...(notices.length > 0 && { notices }) }
  }
}

/** `keys list`: all keys, those of the configuration included. */
export function createKeyListAction({ register, clock }: KeyActionOptions): AdminAction {
  return async (input) => {
    const { most = 1000, after } = readMembers(input, { most: 'count', after: 'text' })
    const keys = (await register.list()).map((one) => describeRegistered(one, clock.wall()))
    const sorted = keys.toSorted((one, other) => (one.name + one.id < other.name + other.id ? -1 : 1))
    const rows = sorted.filter(({ name }) => after === undefined || name > after)
    return { keys: rows.slice(0, most), total: keys.length }
  }
}

/** `keys revoke`: by name or id. */
export function createKeyRevokeAction({ register, isShared, clock }: KeyActionOptions): AdminAction {
  return async (input) => {
    const { name: named } = readMembers(input, { name: 'text' })
    const wanted = demand(named, 'name')
    const revoked = await register.revoke((key) => key.name === wanted || nameAccessKeyId(key) === wanted)
    if (revoked.length === 0)
      throw new ProxyError('admin_target_unknown', { cause: `there is no access key ${JSON.stringify(wanted)}` })
    return { keys: revoked.map((one) => describeRegistered(one, clock.wall())), shared: isShared }
  }
}

function readKey(input: ActionInput, options: KeyActionOptions): AccessKey {
  const {
    name,
    digest,
    servers,
    scopes,
    addresses,
    subject,
    issuer,
    for_seconds: seconds,
  } = readMembers(input, {
    ...{ name: 'text', digest: 'text', servers: 'texts', scopes: 'texts', addresses: 'texts' },
    ...{ subject: 'text', issuer: 'text', for_seconds: 'count' },
  })
  const now = Math.floor(options.clock.wall() / 1000)
  return {
    name: checkName(demand(name, 'name')),
    digest: checkDigest(demand(digest, 'digest')),
    servers: checkServers(demand(servers, 'servers'), options.listServers()),
    scopes: checkEach(scopes ?? [], isScopeToken, 'is no scope'),
    addresses: checkEach(addresses ?? [], isNetwork, 'is no address or CIDR block'),
    user: findUser(subject, issuer, options),
    createdAt: now,
    expiresAt: now + checkSeconds(seconds ?? USUAL_SECONDS),
  }
}

function checkName(name: string): string {
  if (!NAME.test(name)) throw invalidInput('name: use up to 64 letters, digits and - . _')
  return name
}

/** What is no digest may be the key itself, and is not repeated. */
function checkDigest(digest: string): string {
  if (!DIGEST.test(digest)) throw invalidInput('digest is not `sha256:` and 64 hexadecimal digits')
  return digest.slice('sha256:'.length)
}

function checkServers(names: readonly string[], servers: readonly KeyServer[]): readonly string[] {
  if (names.length === 0) throw invalidInput('servers is empty')
  const known = new Map(servers.map((server) => [server.name, server]))
  for (const name of names) {
    const server = known.get(name)
    if (server === undefined)
      throw invalidInput(`there is no server ${JSON.stringify(name)}, but ${[...known.keys()].join(', ')}`)
    if (server.needsToken)
      throw invalidInput(
        `the server ${name} gets a token of its caller (forward_access_token, credential), which an access key is not`,
      )
  }
  return [...new Set(names)]
}

function checkEach(texts: readonly string[], isFine: (text: string) => boolean, mistake: string): readonly string[] {
  const wrong = texts.find((text) => !isFine(text))
  if (wrong !== undefined) throw invalidInput(`${JSON.stringify(wrong.slice(0, 100))} ${mistake}`)
  return [...new Set(texts)]
}

function checkSeconds(seconds: number): number {
  if (seconds > MAX_SECONDS) throw invalidInput('an access key is good for 366 days at most')
  return seconds
}

/** A subject is one of a real issuer only where that is named (OpenID Connect Core 1.0 §2: it is unique within its issuer). */
function findUser(subject: string | undefined, issuer: string | undefined, { listIssuers }: KeyActionOptions): AccessKey['user'] {
  if (subject === undefined) {
    if (issuer !== undefined) throw invalidInput('issuer says whose user the key stands for, and there is no subject')
    return undefined
  }
  return { subject, issuer: issuer === undefined ? ACCESS_KEY_ISSUER : findIssuer(issuer, listIssuers()) }
}

function findIssuer(named: string, known: readonly KnownIssuer[]): string {
  const isOwn = known.some(({ issuer, aliases }) => issuer === ACCESS_KEY_ISSUER && (issuer === named || aliases.includes(named)))
  const real = known.filter(({ issuer }) => issuer !== ACCESS_KEY_ISSUER)
  if (isOwn) return ACCESS_KEY_ISSUER
  if (real.length > 0) return chooseIssuer(named, real).issuer
  throw invalidInput(
    'issuer: no user signs in here, since the servers accept access keys only. Leave it out: the subject is then a user of access keys alone',
  )
}

function describeKey(key: AccessKey) {
  const { name, servers, scopes, addresses, user, createdAt, expiresAt } = key
  return {
    name,
    id: nameAccessKeyId(key),
    servers,
    scopes,
    subject: user?.subject,
    issuer: user?.issuer,
    addresses,
    created: createdAt === undefined ? undefined : formatTime(createdAt * 1000),
    expires: formatTime(expiresAt * 1000),
  }
}

function describeRegistered({ key, source, revokedAt, usedAt }: RegisteredKey, now: number) {
  const state = revokedAt !== undefined ? 'revoked' : key.expiresAt * 1000 <= now ? 'expired' : 'active'
  return { ...describeKey(key), last_used: usedAt === undefined ? undefined : formatTime(usedAt), state, source }
}

function formatTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString()
}
