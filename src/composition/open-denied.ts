import type { DenyList } from '../core/deny-list.ts'
import { createEncryption } from '../core/encryption.ts'
import { ProxyError } from '../core/errors.ts'
import type { OpenRequests } from '../core/open-requests.ts'
import type { Plan } from '../core/plan/plan.ts'
import { type DenyListOptions, openDenyList } from '../revocation/deny-list.ts'

/** The deny list, which also ends what is open for those it denies. Opened whatever is configured: a store of memory holds it for this process. */
export async function openDenied(
  { storeKeys }: Plan,
  openRequests: OpenRequests,
  parts: Pick<DenyListOptions, 'store' | 'clock' | 'onIssue'>,
): Promise<DenyList> {
  let opened: DenyList | undefined
  opened = await openDenyList({
    ...parts,
    encryption: storeKeys.length === 0 ? undefined : createEncryption(storeKeys),
    // Nothing is open before the list was tried to be read once.
    onChange: () => opened && endDenied(openRequests, opened),
  })
  return opened
}

function endDenied(openRequests: OpenRequests, denied: DenyList): void {
  const cause = 'an operator or its issuer revoked the token that opened it'
  openRequests.end(
    ({ principal }) => denied.find(principal) !== undefined,
    new ProxyError('token_invalid', { reason: 'revoked', cause }),
  )
}
