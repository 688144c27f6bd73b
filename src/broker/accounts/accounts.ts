import type { Claims } from '../../core/claim-condition.ts'
import type { Clock } from '../../core/clock.ts'
import { createEncryptedCollection } from '../../core/encrypted-collection.ts'
import type { Encryption } from '../../core/encryption.ts'
import { hashId } from '../../core/hash-id.ts'
import type { IdentityProviderPlan } from '../../core/plan/identity-provider-plan.ts'
import type { OnEvent } from '../../core/security-event.ts'
import type { Store } from '../../core/store.ts'
import { mayUserSignIn } from '../identity-provider/access-rules.ts'
import type { IdentityProvider } from '../identity-provider/identity-provider.ts'
import type { SignedInUser } from '../identity-provider/signed-in-user.ts'
import { groupOfAccount } from '../storage/oidc-adapter.ts'
import { isDue, type RefreshOptions, refreshUnderLock, type Word } from './account-refresh.ts'
import { isTokenOver, isWordOver } from './last-word.ts'

/** The users who have signed in, with their tokens of the identity provider. Users who may no longer sign in are not found. */
export interface Accounts {
  find(subject: string): Promise<SignedInUser | undefined>
  /** As long as the identity provider's last word on the user holds: without asking it, no browser is signed in for longer. */
  findRecent(subject: string): Promise<SignedInUser | undefined>
  /** Keeps what a sign-in brought. */
  save(user: SignedInUser): Promise<void>
  /** Whether an operator shuts the user out, new sign-ins included. */
  isBlocked(subject: string): boolean
  /** Ends all sessions, grants and tokens of a user. */
  end(subject: string): Promise<void>
  /** The same for a user who may not sign in any more, with what outlasts a session. */
  shutOut(subject: string): Promise<void>
  /**
   * Finds a user whose session with the identity provider goes on, asking it when its last word is over.
   *
   * @returns undefined when it is over; everything that the user was given here has ended then
   * @throws IdentityProviderError when that cannot be found out
   */
  findCurrent(subject: string): Promise<SignedInUser | undefined>
  /**
   * As {@link findCurrent}, for a call that needs the user's access token of the identity provider, which is refreshed where it can be.
   *
   * @returns undefined also when that token is known to be over
   */
  findWithToken(subject: string): Promise<SignedInUser | undefined>
}

export interface AccountsOptions {
  readonly store: Store
  readonly encryption: Encryption
  readonly identityProvider: IdentityProvider
  readonly plan: Pick<IdentityProviderPlan, 'allow' | 'unrefreshedSeconds' | 'timeoutSeconds'>
  /** Seconds for which an account is kept after the last sign-in. */
  readonly grantSeconds: number
  readonly clock: Clock
  /** Scopes that a user may have; none unless given. */
  readonly listScopes?: (claims: Claims) => ReadonlySet<string>
  /** Whether an operator shuts the user out. */
  readonly isBlocked?: ((subject: string) => boolean) | undefined
  /** Ends what outlasts a user's session, for a user who may not sign in any more. */
  readonly endLasting?: ((subject: string) => Promise<void>) | undefined
  /** Called when grants or scopes of a user have ended. */
  readonly onEnded: (subject: string) => void
  readonly report: OnEvent
}

interface Session extends AccountsOptions, RefreshOptions {
  readonly plan: AccountsOptions['plan']
  readonly questions: Map<string, Promise<SignedInUser | undefined>>
}

export function createAccounts(options: AccountsOptions): Accounts {
  const { store, encryption, clock, plan, isBlocked = () => false } = options
  const collection = createEncryptedCollection<SignedInUser>(store, encryption, 'Account', hashId)
  const session: Session = { ...options, collection, questions: new Map() }
  const find = async (subject: string) => {
    const user = await collection.find(subject)
    return user !== undefined && mayUserSignIn(user.claims, plan) && !isBlocked(subject) ? user : undefined
  }
  return {
    find,
    isBlocked,
    async findRecent(subject) {
      const user = await find(subject)
      return user === undefined || isWordOver(user, clock.wall(), plan.unrefreshedSeconds) ? undefined : user
    },
    save: (user) => save(user, session),
    end: (subject) => endKnown(subject, session),
    async shutOut(subject) {
      // First, so that what fails half-way is done when it is repeated: then the user is still known.
      await session.endLasting?.(subject)
      await endKnown(subject, session)
    },
    async findCurrent(subject) {
      const user = await collection.find(subject)
      return user !== undefined && isDue(user, session) ? ask(user, session) : user && endUnlessAllowed(user, session)
    },
    async findWithToken(subject) {
      const found = await collection.find(subject)
      const canRefresh = found?.tokens.refreshToken !== undefined && isDue(found, session)
      const user = canRefresh ? await ask(found, session) : found && (await endUnlessAllowed(found, session))
      return user === undefined || isTokenOver(user, clock.wall()) ? undefined : user
    },
  }
}

async function save(user: SignedInUser, session: Session): Promise<void> {
  const before = await session.collection.find(user.subject)
  await write(user, session)
  tellLosses(before, user, session)
}

/** Reports that the user has lost scopes, so that tokens with more than that are rejected. */
function tellLosses(before: SignedInUser | undefined, now: SignedInUser, { listScopes, onEnded }: AccountsOptions): void {
  if (before === undefined || listScopes === undefined) return
  const left = listScopes(now.claims)
  if ([...listScopes(before.claims)].some((scope) => !left.has(scope))) onEnded(now.subject)
}

/** Keeps what the answer leaves out, such as a refresh token that the provider issues with the first sign-in only. */
async function write(user: SignedInUser, { collection, clock, grantSeconds }: Session): Promise<void> {
  const { subject } = user
  const terms = { expiresAt: clock.wall() + grantSeconds * 1000, groups: [groupOfAccount(subject)] }
  for (;;) {
    const before = await collection.look(subject)
    const kept = user.tokens.refreshToken === undefined ? before?.value.tokens.refreshToken : undefined
    if (before === undefined || kept === undefined) return collection.put(subject, user, terms)
    const merged = { ...withVia(user, before.value.via), tokens: { ...user.tokens, refreshToken: kept } }
    if ((await collection.replace(subject, before, merged)) !== undefined) return
  }
}

/** A refresh token is good for the application alone that it was given to. */
function withVia({ via: _, ...user }: SignedInUser, via: string | undefined): SignedInUser {
  return via === undefined ? user : { ...user, via }
}

/** One request for all waiting callers: a provider that rotates refresh tokens takes two for theft. */
function ask(before: SignedInUser, session: Session): Promise<SignedInUser | undefined> {
  const { questions } = session
  const { subject } = before
  const question =
    questions.get(subject) ??
    refreshUnderLock(subject, session)
      .then((word) => conclude(before, word, session))
      .finally(() => questions.delete(subject))
  questions.set(subject, question)
  return question
}

async function conclude(before: SignedInUser, word: Word, session: Session): Promise<SignedInUser | undefined> {
  if (word.says !== 'over') {
    if (word.user !== undefined) tellLosses(before, word.user, session)
    return word.user && endUnlessAllowed(word.user, session)
  }
  // The user's session with the provider is over, and so is everything that followed from it.
  await end(before.subject, 'the session with the identity provider is over', session)
  return undefined
}

async function endKnown(subject: string, session: Session): Promise<void> {
  const isKnown = (await session.collection.look(subject)) !== undefined
  await end(subject, isKnown ? NOT_ALLOWED : undefined, session)
}

const NOT_ALLOWED = 'the user is no longer allowed to sign in'

/** @param detail - why what the user had here ends; undefined for a user who had nothing */
async function end(subject: string, detail: string | undefined, { store, onEnded, report }: AccountsOptions): Promise<void> {
  try {
    await store.deleteGroup(groupOfAccount(subject))
  } finally {
    // Also where only the answer was lost.
    onEnded(subject)
  }
  if (detail !== undefined) report({ kind: 'sign_in_ended', outcome: 'success', subject, detail })
}

/** Groups and rules change: a user who may no longer sign in loses all grants. */
async function endUnlessAllowed(user: SignedInUser, options: AccountsOptions): Promise<SignedInUser | undefined> {
  if (mayUserSignIn(user.claims, options.plan) && options.isBlocked?.(user.subject) !== true) return user
  await options.endLasting?.(user.subject)
  await end(user.subject, NOT_ALLOWED, options)
  return undefined
}

/** A name by which the user is known to people. */
export function nameUser({ subject, claims }: SignedInUser): string {
  const names = [claims.name, claims.preferred_username, claims.email, claims.login]
  return names.find((name): name is string => typeof name === 'string' && name.trim() !== '') ?? subject
}

/** Claims of the user that access tokens carry. */
export function pickClaims(claims: Claims, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(names.flatMap((name) => (Object.hasOwn(claims, name) ? [[name, claims[name]]] : [])))
}
