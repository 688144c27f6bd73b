import { ACCESS_KEY_ISSUER, type AccessKey, nameAccessKeyId } from '../../core/access-key.ts'
import type { Clock } from '../../core/clock.ts'
import { DENIED_SECONDS, type Denial, type DeniedKind, type DenyList, secondAfter } from '../../core/deny-list.ts'
import { ProxyError } from '../../core/errors.ts'
import type { SignInRegister } from '../../core/sign-in-register.ts'
import type { ActionInput, AdminAction } from '../admin-action.ts'
import { chooseIssuer, type KnownIssuer } from './known-issuers.ts'
import { demand, invalidInput, readMembers } from './read-members.ts'

export interface DenyActionOptions {
  readonly denied: DenyList
  /** Those of now: a reload may change them. */
  readonly listIssuers: () => readonly KnownIssuer[]
  /** Whether other processes see what this one denies. */
  readonly isShared: boolean
  /** Ends at the broker what its users and clients have; undefined where users sign in elsewhere. */
  readonly findRegister: () => SignInRegister | undefined
  /** Ends access keys, and says which. */
  readonly endKeys: (isMeant: (key: AccessKey) => boolean) => Promise<readonly string[]>
  readonly clock: Clock
  /** Called when something was denied. */
  readonly onDenied: (denial: Denial) => void
}

const MAX_SECONDS = 10 * 366 * 86_400

/** What was denied, as it is told to operators. */
interface Denied {
  readonly issuer: string
  readonly refuses: 'all' | 'issued_before'
  readonly issued_before: string | undefined
  /** Null for ever. */
  readonly until: string | null
  readonly shared: boolean
}

/** Ends what a user or a client has: old tokens are refused, or with `block` new ones, too. */
export function createRevokeAction(kind: 'user' | 'client', options: DenyActionOptions): AdminAction {
  const name = NAMES[kind]
  return async (input) => {
    const { [name]: named, ...rest } = input
    const { issuer, block, for_seconds: seconds } = readMembers(rest, { issuer: 'text', block: 'flag', for_seconds: 'count' })
    const value = readName(named, name)
    const denial = planDenial({ kind, value, issuer, isBlock: block === true, seconds }, options)
    const keys = options.endKeys((key) => isKeyOf(key, denial, issuer === undefined))
    const [ended, endedKeys] = await Promise.all([revoke(denial, options), keys])
    return { [name]: value, ...tell(denial, options), ...ended, ...(endedKeys.length > 0 && { keys: endedKeys }) }
  }
}

/**
 * Access keys of a user end for good, since no sign-in would bring new ones. Where no issuer was named, keys for a user of that name and of
 * no issuer end, too: better one key too many.
 */
function isKeyOf({ name, user }: AccessKey, { kind, issuer, value }: Denial, isAnyIssuer: boolean): boolean {
  if (kind === 'client') return name === value && issuer === (user?.issuer ?? ACCESS_KEY_ISSUER)
  return user?.subject === value && (user.issuer === issuer || (isAnyIssuer && user.issuer === ACCESS_KEY_ISSUER))
}

/** The id of an access key is its `jti`. A denial ends, and the key may not have expired by then. */
function isKeyOfId(key: AccessKey, { issuer, value }: Denial): boolean {
  return nameAccessKeyId(key) === value && issuer === (key.user?.issuer ?? ACCESS_KEY_ISSUER)
}

/** What can be ended ends, even where the deny list has no room or cannot be written. Denied first: nothing passes while the rest takes its time. */
async function revoke(denial: Denial, options: DenyActionOptions): Promise<object> {
  let ended = {}
  try {
    await deny(denial, options)
  } finally {
    ended = await endAtBroker(denial, options)
  }
  return ended
}

/** Ends the denial of new tokens. */
export function createUnblockAction(kind: 'user' | 'client', { denied, listIssuers }: DenyActionOptions): AdminAction {
  const name = NAMES[kind]
  return async (input) => {
    const { [name]: named, ...rest } = input
    const { issuer: wanted } = readMembers(rest, { issuer: 'text' })
    const value = readName(named, name)
    const { issuer } = chooseIssuer(wanted, listIssuers())
    const wasBlocked = await denied.lift(kind, issuer, value)
    return { [name]: value, issuer, was_blocked: wasBlocked, ...tellRemaining(findRevoked(denied, { kind, issuer, value })) }
  }
}

/** A revoke without `block`, which nothing lifts. */
function findRevoked(denied: DenyList, wanted: Pick<Denial, 'kind' | 'issuer' | 'value'>): Denial | undefined {
  const { kind, issuer, value } = wanted
  return denied
    .list()
    .find((one) => one.kind === kind && one.issuer === issuer && one.value === value && one.issuedBefore !== undefined)
}

function tellRemaining(revoked: Denial | undefined): object {
  return revoked === undefined ? {} : tellTimes(revoked)
}

/** What the broker has of its own users and clients. */
async function endAtBroker({ kind, issuer, value }: Denial, { findRegister }: DenyActionOptions) {
  const register = findRegister()
  if (register === undefined || issuer !== register.issuer) return {}
  if (kind === 'client') return { ended: true, was_known: await register.endClient(value) }
  const { wasKnown, atProvider } = await register.endUser(value)
  return { was_signed_in: wasKnown, tokens_of_identity_provider: atProvider }
}

/** Ends a session of the broker (`id`), a session with an issuer (`sid`), or one token (`jti`): whatever was or will be issued in it. */
export function createEndAction(options: DenyActionOptions): AdminAction {
  return async (input) => {
    const { id, sid, jti, issuer, for_seconds: seconds } = readEnd(input)
    const [named, ...more] = Object.entries({ id, sid, jti }).filter(([, value]) => value !== undefined)
    if (named === undefined || more.length > 0) throw invalidInput('give one of id, sid and jti')
    const [name, value = ''] = named
    if (name === 'id') return endSession(value, options)
    const kind = name === 'sid' ? 'session' : 'token'
    const denial = planDenial({ kind, value, issuer, isBlock: true, seconds }, options)
    await deny(denial, options)
    const endedKeys = kind === 'token' ? await options.endKeys((key) => isKeyOfId(key, denial)) : []
    return { [name]: value, ...tell(denial, options), ...(endedKeys.length > 0 && { keys: endedKeys }) }
  }
}

async function endSession(id: string, options: DenyActionOptions) {
  const register = options.findRegister()
  const ended = await register?.endSession(id)
  if (register === undefined || ended === undefined)
    throw new ProxyError('admin_target_unknown', { cause: `the broker has no session ${JSON.stringify(id)}` })
  const { issuer } = register
  const denial = planDenial({ kind: 'session', value: id, issuer, isBlock: true, seconds: undefined }, options)
  await deny(denial, options)
  return { id, issuer, subject: ended.subject, client_id: ended.clientId, kind: ended.kind, shared: options.isShared }
}

const readEnd = (input: ActionInput) =>
  readMembers(input, { id: 'text', sid: 'text', jti: 'text', issuer: 'text', for_seconds: 'count' })

/** Whom an action is about, under the name that fits its kind. */
function readName(value: unknown, name: string): string {
  return demand(readMembers({ [name]: value }, { [name]: 'text' })[name] as string | undefined, name)
}

const NAMES = { user: 'subject', client: 'client_id' } as const

async function deny(denial: Denial, { denied, onDenied }: DenyActionOptions): Promise<void> {
  await denied.add([denial], 'operator')
  onDenied(denial)
}

interface Wanted {
  readonly kind: DeniedKind
  readonly value: string
  readonly issuer: string | undefined
  readonly isBlock: boolean
  readonly seconds: number | undefined
}

function planDenial({ kind, value, issuer: named, isBlock, seconds }: Wanted, options: DenyActionOptions): Denial {
  if (seconds !== undefined && seconds > MAX_SECONDS) throw invalidInput('for_seconds is more than ten years')
  const { issuer, longestSeconds, toleranceSeconds } = chooseIssuer(named, options.listIssuers())
  const now = options.clock.wall()
  const isLasting = kind === 'session' || kind === 'token'
  const lasts = seconds ?? (isLasting ? Math.max(DENIED_SECONDS, longestSeconds) : isBlock ? undefined : longestSeconds)
  return {
    kind,
    issuer,
    value,
    // What an issuer whose clock is ahead has issued until now says that it was issued later.
    issuedBefore: isBlock ? undefined : secondAfter(now + toleranceSeconds * 1000),
    expiresAt: lasts === undefined ? undefined : now + lasts * 1000,
  }
}

function tell(denial: Denial, { isShared }: DenyActionOptions): Denied {
  const refuses = denial.issuedBefore === undefined ? 'all' : 'issued_before'
  return { issuer: denial.issuer, refuses, ...tellTimes(denial), shared: isShared }
}

function tellTimes({ issuedBefore, expiresAt }: Denial): Pick<Denied, 'issued_before' | 'until'> {
  return {
    issued_before: issuedBefore === undefined ? undefined : new Date(issuedBefore * 1000).toISOString(),
    until: expiresAt === undefined ? null : new Date(expiresAt).toISOString(),
  }
}
