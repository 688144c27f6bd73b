import { ProxyError } from '../../core/errors.ts'
import type { Principal } from '../../core/principal.ts'
import type { Caller, OwnAccountCredential } from '../../core/upstream-credential.ts'
import type { AccountLinks } from '../upstream-accounts/account-links.ts'
import type { UpstreamAccount } from '../upstream-accounts/upstream-accounts.ts'
import { checkSignedIn } from './upstream-credential.ts'

/**
 * What an MCP server with accounts of users gets: the token of the caller's own.
 *
 * @param onIssue - called with problems to log; the text holds no secrets
 */
export function createOwnAccountCredential(
  { plan: { server }, tokens }: UpstreamAccount,
  links: AccountLinks,
  onIssue: (message: string) => void,
): OwnAccountCredential {
  return {
    kind: 'own_account',
    async find({ principal }: Caller) {
      const token = await tokens.find(checkSignedIn(principal))
      if (token !== undefined) return token
      throw new ProxyError('account_required', { reason: 'not_connected', cause: 'the user has no account connected there' })
    },
    noteRefusal({ subject = '' }: Principal, token) {
      tokens
        .noteRefusal(subject, token)
        .catch((error: Error) => onIssue(`that ${server} refused a token could not be kept: ${error.message}`))
    },
    formatLink: ({ subject = '', clientId }, scopes) => links.format({ subject, server, scopes, clientId }),
  }
}
