import * as oauth from 'oauth4webapi'
import type { Clock } from '../../core/clock.ts'
import type { IdentityProviderPlan } from '../../core/plan/identity-provider-plan.ts'
import { aimAtMetadataUrl } from '../../oauth/second-address.ts'
import { guard, IdentityProviderError } from './error.ts'
import type { RequestOptions } from './requests.ts'

/** The identity provider's metadata, asked for when it is needed. */
export type FindMetadata = () => Promise<oauth.AuthorizationServer>

/** Metadata and keys change rarely; they are loaded again after a failure. */
const KEEP_METADATA_MS = 3_600_000

/** Discovers the metadata when it is first needed, and keeps it for a while. */
export function createMetadataSource(plan: IdentityProviderPlan, request: RequestOptions, clock: Clock): FindMetadata {
  let kept: { readonly metadata: Promise<oauth.AuthorizationServer>; readonly until: number } | undefined
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

async function discover(plan: IdentityProviderPlan, request: RequestOptions): Promise<oauth.AuthorizationServer> {
  const metadata = await guard(() => findDocument(plan, request), 'its metadata')
  if (metadata.authorization_endpoint === undefined || metadata.token_endpoint === undefined)
    throw new IdentityProviderError('unavailable', 'its metadata names no authorization or token endpoint')
  return plan.metadataUrl === undefined ? metadata : aimAtMetadataUrl(metadata, plan.metadataUrl)
}

/** OpenID Connect Discovery §4, or RFC 8414 §3 where that has no document of this issuer. */
async function findDocument({ issuer, metadataUrl }: IdentityProviderPlan, request: RequestOptions) {
  const identifier = new URL(issuer)
  const read = (response: Response) => oauth.processDiscoveryResponse(identifier, response)
  if (metadataUrl !== undefined)
    return read(await request[oauth.customFetch](metadataUrl, { method: 'GET', headers: { accept: 'application/json' } }))
  try {
    return await read(await oauth.discoveryRequest(identifier, { ...request, algorithm: 'oidc' }))
  } catch (error) {
    if (!(error instanceof oauth.OperationProcessingError)) throw error
    const other = await oauth.discoveryRequest(identifier, { ...request, algorithm: 'oauth2' })
    if (other.status === 404) throw error
    return await read(other)
  }
}
