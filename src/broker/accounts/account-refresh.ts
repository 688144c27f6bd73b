import type { Clock } from '../../core/clock.ts'
import type { EncryptedCollection, Kept } from '../../core/encrypted-collection.ts'
import { hashId } from '../../core/hash-id.ts'
import type { Store } from '../../core/store.ts'
import { IdentityProviderError } from '../identity-provider/error.ts'
import type { IdentityProvider } from '../identity-provider/identity-provider.ts'
import type { SignedInUser } from '../identity-provider/signed-in-user.ts'
import { withStoreLock } from '../storage/store-lock.ts'
import { isIdTokenOver, isTokenOver, isWordOver } from './last-word.ts'

export interface RefreshOptions {
  readonly store: Store
  readonly collection: EncryptedCollection<SignedInUser>
  readonly identityProvider: IdentityProvider
  readonly plan: { readonly unrefreshedSeconds: number; readonly timeoutSeconds: number }
  readonly clock: Clock
}

/** What became of the question. Only of an entry that is still the one that was asked for may conclusions be drawn. */
export type Word =
  | { readonly says: 'goes on'; readonly user: SignedInUser }
  | { readonly says: 'over' }
  /** The user has signed in again meanwhile, or has no account any more. */
  | { readonly says: 'replaced'; readonly user: SignedInUser | undefined }

/** Tokens are refreshed this long before they end: a call that begins now should end with the same token. */
const EARLY_MS = 30_000
/** Beyond the bound of a refresh, so that another process does not show the same refresh token. */
const LOCK_MARGIN_MS = 5_000

/** Whether the provider must be asked before a client gets new tokens. */
export function isDue(user: SignedInUser, { clock, plan }: Pick<RefreshOptions, 'clock' | 'plan'>): boolean {
  // Without a refresh token the userinfo endpoint is asked each time: there is no other way to learn that a user has left.
  const soon = clock.wall() + EARLY_MS
  return user.tokens.refreshToken === undefined || isWordOver(user, soon, plan.unrefreshedSeconds) || isIdTokenOver(user, soon)
}

/** Asks the provider once for all processes that share the store. */
export async function refreshUnderLock(subject: string, options: RefreshOptions): Promise<Word> {
  const { collection, plan, store, clock } = options
  const lockMs = plan.timeoutSeconds * 1000 + LOCK_MARGIN_MS
  const ask = async (): Promise<Word> => {
    const seen = await collection.look(subject)
    if (seen === undefined) return { says: 'replaced', user: undefined }
    return isDue(seen.value, options) ? askProvider(seen, options) : { says: 'goes on', user: seen.value }
  }
  const createError = () => new IdentityProviderError('unavailable', 'another process has held the refresh lock for too long')
  const lock = { store, clock, kind: 'AccountRefresh', expiresMs: lockMs, waitMs: lockMs, createError }
  return withStoreLock(hashId(subject), ask, lock)
}

async function askProvider(seen: Kept<SignedInUser>, options: RefreshOptions): Promise<Word> {
  const { subject } = seen.value
  let last = seen
  const keep = async (refreshToken: string) => {
    last = await keepRefreshToken(last, refreshToken, options)
  }
  try {
    const fresh = await askOnce(seen.value, keep, options)
    if (fresh === undefined) return { says: 'over' }
    return (await options.collection.replace(subject, last, fresh))
      ? { says: 'goes on', user: fresh }
      : findNewer(subject, options)
  } catch (error) {
    if (!(error instanceof IdentityProviderError) || error.kind !== 'ended') throw error
    const now = await options.collection.look(subject)
    return now?.encrypted === last.encrypted ? { says: 'over' } : { says: 'replaced', user: now?.value }
  }
}

async function findNewer(subject: string, { collection }: RefreshOptions): Promise<Word> {
  return { says: 'replaced', user: await collection.find(subject) }
}

/** @returns undefined when the provider cannot be asked, and its last word is too old */
async function askOnce(
  user: SignedInUser,
  keep: (refreshToken: string) => Promise<void>,
  { identityProvider, plan, clock }: RefreshOptions,
): Promise<SignedInUser | undefined> {
  if (user.tokens.refreshToken !== undefined) return identityProvider.refresh(user, keep)
  const confirmed = isTokenOver(user, clock.wall()) ? undefined : await identityProvider.confirm(user)
  if (confirmed !== undefined) return confirmed
  return clock.wall() < (user.tokens.askedAt ?? 0) + plan.unrefreshedSeconds * 1000 ? user : undefined
}

/**
 * Nothing but the refresh token, so that the provider is asked again until it has answered everything.
 * A newer sign-in that brought none of its own relies on the token that was just used up: it gets the new one.
 *
 * @returns the entry that this refresh goes by, as it is now
 */
async function keepRefreshToken(
  last: Kept<SignedInUser>,
  refreshToken: string,
  { collection }: RefreshOptions,
): Promise<Kept<SignedInUser>> {
  const { subject, tokens } = last.value
  const write = (entry: Kept<SignedInUser>) =>
    collection.replace(subject, entry, { ...entry.value, tokens: { ...entry.value.tokens, refreshToken } })
  const written = await write(last)
  if (written !== undefined) return written
  let newer = await collection.look(subject)
  while (newer?.value.tokens.refreshToken === tokens.refreshToken && newer !== undefined) {
    if ((await write(newer)) !== undefined) break
    newer = await collection.look(subject)
  }
  return last
}
