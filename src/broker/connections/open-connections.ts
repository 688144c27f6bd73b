import { createEncryptedCollection } from '../../core/encrypted-collection.ts'
import { hashId } from '../../core/hash-id.ts'
import { SIGN_IN_MINUTES } from '../pages/sign-in-errors.ts'
import type { AwayAccount } from '../sign-in/away-account.ts'
import { createAccountLinks } from '../upstream-accounts/account-links.ts'
import type { UpstreamAccounts } from '../upstream-accounts/upstream-accounts.ts'
import type { ConnectionsOptions } from './connections-endpoint.ts'
import type { PartsOfVisits } from './visit-parts.ts'
import { createVisits } from './visits.ts'

/** @param given - the parts of the broker that its pages need */
export function openConnections(
  given: PartsOfVisits & Pick<ConnectionsOptions, 'findClientName'>,
  accounts: UpstreamAccounts,
): ConnectionsOptions {
  const { store, encryption, origin, clock } = given
  const visits = createVisits(given)
  return {
    ...given,
    visits,
    links: createAccountLinks(origin, encryption, clock),
    connecting: {
      accounts,
      away: createEncryptedCollection<AwayAccount>(store, encryption, 'AwayAccount', hashId),
      awayMs: SIGN_IN_MINUTES * 60_000,
      findVisitor: visits.find,
      endOtherVisit: visits.endOther,
    },
  }
}
