import { hasSharedClient } from '../derive/shared-client.ts'
import type { Config } from '../schema/schema.ts'

/** What requests that are passed on cannot do, or give away. `identity_provider` has none of it. */
export function createRewriteNotices({ rewrite }: Config): string[] {
  if (rewrite === undefined) return []
  const notices = [
    'rewrite: clients that compare `iss` in the redirect with the issuer of the metadata, as all of 2026-07-28 must, cannot sign in where the identity provider sends it. `identity_provider` serves them.',
  ]
  if (hasSharedClient(rewrite)) {
    notices.push(
      'rewrite: `client_id` is added, so all clients use that client id, and users are not asked for consent. Answers go only to loopback addresses and `redirect_uris`. `identity_provider` asks for consent to each client.',
    )
  }
  if (Object.hasOwn(rewrite.token_parameters, 'client_secret') || Object.hasOwn(rewrite.token_parameters, 'client_assertion')) {
    notices.push(
      'rewrite: `token_parameters` adds the credentials of a client to each request that reaches /token, from any caller. `identity_provider` keeps them secret.',
    )
  }
  return notices
}
