import type { RewritePlan } from '../../core/plan/rewrite-plan.ts'
import { addsCredentials, hasSharedClient } from '../derive/shared-client.ts'
import type { Config } from '../schema/schema.ts'
import type { PlanSources } from './egress.ts'

/** Of users who come back from the identity provider, which the Go proxy announced as well. */
const USUAL_GRANTS = ['authorization_code', 'refresh_token']

/** Settles what is passed on; undefined where nothing is. */
export function createRewritePlan({ rewrite }: Config, publicUrl: string, secretsAndFiles: PlanSources): RewritePlan | undefined {
  if (rewrite === undefined) return undefined
  const metadata = { grant_types_supported: USUAL_GRANTS, ...rewrite.metadata }
  const { grant_types_supported: announced } = metadata
  return {
    publicUrl,
    issuer: rewrite.issuer,
    metadata,
    grants: addsCredentials(rewrite) ? [announced].flat().map(String) : undefined,
    authorization: { url: rewrite.authorization_endpoint, parameters: rewrite.authorization_parameters },
    token: { url: rewrite.token_endpoint, parameters: rewrite.token_parameters },
    registration:
      rewrite.registration_endpoint === undefined
        ? undefined
        : { url: rewrite.registration_endpoint, parameters: rewrite.registration_parameters },
    sharedClient: hasSharedClient(rewrite) ? { redirectUris: rewrite.redirect_uris } : undefined,
    // Every URL that is asked stands in the configuration.
    allowPrivateNetwork: false,
    ca: secretsAndFiles.findFile(rewrite.ca_file),
    egress: secretsAndFiles.egress,
  }
}
