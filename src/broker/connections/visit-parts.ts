import type { BrandPlan } from '../../core/brand.ts'
import type { Clock } from '../../core/clock.ts'
import type { Encryption } from '../../core/encryption.ts'
import type { IdentityProviderPlan } from '../../core/plan/identity-provider-plan.ts'
import type { OnEvent } from '../../core/security-event.ts'
import type { Store } from '../../core/store.ts'
import type { Accounts } from '../accounts/accounts.ts'
import type { IdentityProvider } from '../identity-provider/identity-provider.ts'
import type { RateLimit } from '../limits/rate-limit.ts'
import type { BrowserCookie } from '../pages/browser-cookie.ts'

/** What pages for users work with, to which no client leads. */
export interface PartsOfVisits {
  /** Our public URL. */
  readonly origin: string
  readonly plan: IdentityProviderPlan
  readonly brand: BrandPlan
  readonly store: Store
  readonly encryption: Encryption
  readonly clock: Clock
  readonly identityProvider: IdentityProvider
  readonly accounts: Accounts
  readonly browserCookie: BrowserCookie
  /** Each visit is stored for a while. */
  readonly authorizations: RateLimit
  readonly report: OnEvent
}
