import type { Claims } from '../../core/claim-condition.ts'
import type { BrokerPlan } from '../../core/plan/broker-plan.ts'
import { type Accounts, type AccountsOptions, createAccounts } from '../accounts/accounts.ts'
import type { Resources } from '../clients/resources.ts'
import { listUserScopes } from '../identity-provider/access-rules.ts'
import { createRevocations, type Revocations, type UserOfToken } from '../tokens/revocation.ts'

interface StandingOptions
  extends Pick<AccountsOptions, 'store' | 'encryption' | 'identityProvider' | 'clock' | 'report' | 'isBlocked' | 'endLasting'> {
  readonly plan: BrokerPlan
  readonly resources: Resources
}

/** The users who have signed in, and whether their tokens still stand: each has to hear of the other. */
export function openUsers(options: StandingOptions): { readonly accounts: Accounts; readonly revocations: Revocations } {
  const { plan, store, encryption, clock, identityProvider, resources, report, isBlocked, endLasting } = options
  const { identityProvider: rules, grantSeconds } = plan
  const listScopes = (claims: Claims) => listUserScopes(claims, rules, resources.scopes)
  const findEntitled = async (token: UserOfToken) => {
    const user = await accounts.find(token.subject)
    return user !== undefined && holdsNoMore(token, listScopes(user.claims), resources) ? user.claims : undefined
  }
  const revocations = createRevocations(store, clock, findEntitled)
  const onEnded = () => revocations.forget()
  const accounts = createAccounts({
    store,
    encryption,
    identityProvider,
    plan: rules,
    grantSeconds,
    clock,
    listScopes,
    onEnded,
    report,
    isBlocked,
    endLasting,
  })
  return { accounts, revocations }
}

/** A token that holds more than its user may have now is over: its client refreshes, and gets one with what is left. */
function holdsNoMore({ scopes }: UserOfToken, may: ReadonlySet<string>, resources: Resources): boolean {
  return [...scopes].every((scope) => may.has(scope) || !resources.scopes.has(scope))
}
