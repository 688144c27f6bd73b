import * as oauth from 'oauth4webapi'
import type { IdentityProviderPlan } from '../core/plan.ts'
import type { Clock } from '../oauth/clock.ts'
import { guard, IdentityProviderError } from './identity-provider-error.ts'
import type { RequestOptions } from './identity-provider-requests.ts'

/** The identity provider's metadata, asked for when it is needed. */
export type FindMetadata = () => Promise<oauth.AuthorizationServer>

/** Metadata and keys move rarely; a sign-in that fails has them asked for again. */
const KEEP_METADATA_MS = 3_600_000

/** Metadata that is published is discovered, and kept for a while; that of plain OAuth stands in the configuration. */
export function createMetadataSource(plan: IdentityProviderPlan, request: RequestOptions, clock: Clock): FindMetadata {
  let kept: { readonly metadata: Promise<oauth.AuthorizationServer>; readonly until: number } | undefined
  if (plan.oauth !== undefined) {
    const metadata = describePlain(plan.issuer, plan.oauth)
    return () => Promise.resolve(metadata)
  }
  return () => {
    if (kept !== undefined && clock.monotonic() < kept.until) return kept.metadata
    const entry = { metadata: discover(plan, request), until: clock.monotonic() + KEEP_METADATA_MS }
    kept = entry
    entry.metadata.catch(() => {
      if (kept === entry) kept = undefined
    })
    return entry.metadata
  }
}

function describePlain(issuer: string, plain: NonNullable<IdentityProviderPlan['oauth']>): oauth.AuthorizationServer {
  return {
    issuer,
    authorization_endpoint: plain.authorizationEndpoint,
    token_endpoint: plain.tokenEndpoint,
    userinfo_endpoint: plain.userinfoEndpoint,
  }
}

async function discover(plan: IdentityProviderPlan, request: RequestOptions): Promise<oauth.AuthorizationServer> {
  const issuer = new URL(plan.issuer)
  const metadata = await guard(async () => {
    const response = await oauth.discoveryRequest(issuer, { ...request, algorithm: 'oidc' })
    return oauth.processDiscoveryResponse(issuer, response)
  }, 'its metadata')
  if (metadata.authorization_endpoint === undefined || metadata.token_endpoint === undefined)
    throw new IdentityProviderError('unavailable', 'its metadata names no authorization or token endpoint')
  return metadata
}
