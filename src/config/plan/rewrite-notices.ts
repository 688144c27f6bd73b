import { addsCredentials, hasSharedClient } from '../derive/shared-client.ts'
import type { Config } from '../schema/schema.ts'

const ISS =
  'rewrite: clients that compare `iss` in the redirect with the issuer of the metadata, as all of 2026-07-28 must, cannot sign in if the identity provider sends it. `identity_provider` serves them.'

/**
 * The limits and risks of passing requests on, none of which `identity_provider` has.
 *
 * @param isTranslated - whether the configuration is one of the Go proxy, whose translation explains `iss` itself
 */
export function createRewriteNotices({ rewrite }: Config, isTranslated: boolean): string[] {
  if (rewrite === undefined) return []
  const notices = isTranslated ? [] : [ISS]
  if (hasSharedClient(rewrite)) {
    notices.push(
      'rewrite: `client_id` is added, so all clients use that client id, and users are not asked for consent. Answers go only to loopback addresses and `redirect_uris`. `identity_provider` asks for consent to each client.',
    )
  }
  if (addsCredentials(rewrite)) {
    notices.push(
      'rewrite: `token_parameters` adds the credentials of a client to each request that reaches /token, from any caller, with the grants that the metadata announces. `identity_provider` keeps them secret.',
    )
  }
  return notices
}
