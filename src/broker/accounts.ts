import type { IdentityProviderPlan } from '../core/plan.ts'
import type { EntryTerms, Store } from '../core/store.ts'
import type { Clock } from '../oauth/clock.ts'
import { type Claims, mayUserSignIn } from './access-rules.ts'
import { groupOfAccount, hashId } from './adapter.ts'
import type { IdentityProvider, SignedInUser } from './identity-provider.ts'
import { IdentityProviderError } from './identity-provider-error.ts'
import type { Seal } from './seal.ts'
import { createVault, type Vault } from './vault.ts'

/** The users who have signed in, with what the identity provider gave us for them. Who may no longer sign in is none of them. */
export interface Accounts {
  find(subject: string): Promise<SignedInUser | undefined>
  save(user: SignedInUser): Promise<void>
  /**
   * Finds a user whose session with the identity provider goes on, asking it when its last word is over.
   *
   * @returns undefined when it is over; everything that the user was given here has ended then
   * @throws IdentityProviderError when that cannot be found out
   */
  findCurrent(subject: string): Promise<SignedInUser | undefined>
}

export interface AccountsOptions {
  readonly store: Store
  readonly seal: Seal
  readonly identityProvider: IdentityProvider
  /** Who may sign in. */
  readonly plan: Pick<IdentityProviderPlan, 'allow'>
  /** Seconds for which an account is kept after the last sign-in. */
  readonly grantSeconds: number
  readonly clock: Clock
  /** Hears that everything of a user has ended. */
  readonly onEnded: (subject: string) => void
}

/** Tokens are refreshed this long before they end: a call that begins now should end with the same token. */
const EARLY_MS = 30_000

export function createAccounts(options: AccountsOptions): Accounts {
  const { store, seal, clock, plan } = options
  const vault = createVault<SignedInUser>(store, seal, 'Account', hashId)
  const refreshes = new Map<string, Promise<SignedInUser | undefined>>()
  const save = (user: SignedInUser) => vault.put(user.subject, user, planTerms(user, options))

  return {
    async find(subject) {
      const user = await vault.find(subject)
      return user !== undefined && mayUserSignIn(user.claims, plan) ? user : undefined
    },
    save,
    async findCurrent(subject) {
      const user = await vault.find(subject)
      if (user === undefined || !isDue(user, clock)) return user && endUnlessAllowed(user, options)
      // One question for all who wait: a provider that rotates refresh tokens takes two for theft.
      const running = refreshes.get(subject) ?? refreshInTurn(subject, vault, options).finally(() => refreshes.delete(subject))
      refreshes.set(subject, running)
      return running
    },
  }
}

function planTerms({ subject }: SignedInUser, { clock, grantSeconds }: AccountsOptions): EntryTerms {
  return { expiresAt: clock.wall() + grantSeconds * 1000, groups: [groupOfAccount(subject)] }
}

/** Without a refresh token the provider can't be asked; the lifetime of our own grants is the bound then. */
function isDue({ tokens }: SignedInUser, clock: Clock): boolean {
  return tokens.refreshToken !== undefined && tokens.expiresAt !== undefined && clock.wall() >= tokens.expiresAt - EARLY_MS
}

/** How long a process may take to refresh before another one tries: longer than the questions can take. And how often the others look. */
const LOCK_MS = 15_000
const LOOK_MS = 100
const LOCK = 'AccountRefresh'

/** One question for all processes that share the store, too. */
async function refreshInTurn(
  subject: string,
  vault: Vault<SignedInUser>,
  options: AccountsOptions,
): Promise<SignedInUser | undefined> {
  const { store, clock } = options
  const key = hashId(subject)
  for (let waited = 0; waited < LOCK_MS; waited += LOOK_MS) {
    if (await store.add(LOCK, key, '1', { expiresAt: clock.wall() + LOCK_MS })) {
      try {
        const user = await vault.find(subject)
        return user === undefined || !isDue(user, clock) ? user : await refreshOnce(user, vault, options)
      } finally {
        await store.take(LOCK, key)
      }
    }
    await new Promise<void>((resolve) => void clock.after(LOOK_MS, resolve))
  }
  throw new IdentityProviderError('unavailable', 'another process has been asking it for too long')
}

async function refreshOnce(
  user: SignedInUser,
  vault: Vault<SignedInUser>,
  options: AccountsOptions,
): Promise<SignedInUser | undefined> {
  try {
    const fresh = await options.identityProvider.refresh(user, (refreshToken) =>
      // Nothing but the refresh token, so that the provider is asked again until it has answered everything.
      vault.put(user.subject, { ...user, tokens: { ...user.tokens, refreshToken } }, planTerms(user, options)),
    )
    await vault.put(user.subject, fresh, planTerms(fresh, options))
    return await endUnlessAllowed(fresh, options)
  } catch (error) {
    if (!(error instanceof IdentityProviderError) || error.trouble !== 'ended') throw error
    // The user's session with the provider is over, and so is everything that followed from it.
    await end(user, options)
    return undefined
  }
}

async function end({ subject }: SignedInUser, { store, onEnded }: AccountsOptions): Promise<void> {
  await store.deleteGroup(groupOfAccount(subject))
  onEnded(subject)
}

/** Groups change, and so do rules: who may not sign in now has nothing of what they were given when they might. */
async function endUnlessAllowed(user: SignedInUser, options: AccountsOptions): Promise<SignedInUser | undefined> {
  if (mayUserSignIn(user.claims, options.plan)) return user
  await end(user, options)
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
