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
      'rewrite: `client_id` is added, so every client signs users in as that one, and nobody is asked whether it may. Answers go to loopback addresses and `redirect_uris` alone. `identity_provider` asks for consent to each client.',
    )
  }
  if (Object.hasOwn(rewrite.token_parameters, 'client_secret') || Object.hasOwn(rewrite.token_parameters, 'client_assertion')) {
    notices.push(
      'rewrite: `token_parameters` adds the credentials of a client to the token requests of everybody who reaches /token. `identity_provider` keeps them to itself.',
    )
  }
  return notices
}
