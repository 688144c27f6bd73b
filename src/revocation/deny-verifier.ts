import type { DenyList } from '../core/deny-list.ts'
import { ProxyError } from '../core/errors.ts'
import type { TokenVerifier } from '../core/ports.ts'
import type { Principal } from '../core/principal.ts'

/** A verifier that also refuses what is on the deny list, whatever it remembers of a token. */
export function createDenyVerifier(verifier: TokenVerifier, list: DenyList): TokenVerifier {
  const accept = (principal: Principal): Principal => {
    checkDenied(principal, list)
    return principal
  }
  const { recall } = verifier
  return {
    verify(token, address) {
      const principal = verifier.verify(token, address)
      return principal instanceof Promise ? principal.then(accept) : accept(principal)
    },
    recheck: (principal) => void accept(principal),
    ...(recall && {
      recall(credentials) {
        const principal = recall(credentials)
        // Whatever is refused is refused by `verify`, with its reason.
        return principal !== undefined && list.isLoaded() && list.find(principal) === undefined ? principal : undefined
      },
    }),
  }
}

/** @throws ProxyError `token_invalid`; `issuer_unavailable` while it is not known what is denied */
function checkDenied(principal: Principal, list: DenyList): void {
  if (!list.isLoaded())
    throw new ProxyError('issuer_unavailable', {
      reason: 'store_unavailable',
      cause: 'the deny list could not be read yet',
      retryAfter: 5,
    })
  const denial = list.find(principal)
  if (denial === undefined) return
  throw new ProxyError('token_invalid', { reason: 'revoked', cause: `the deny list has its ${NAMES[denial.kind]}` })
}

const NAMES = { user: 'user', client: 'client', token: 'jti', session: 'sid' } as const
