import type { ProtectedResource } from '../core/route-facts.ts'

/** Where the metadata is of the only server at an origin, for any path. */
export const ROOT_METADATA_PATH = '/.well-known/oauth-protected-resource'

/** Where clients look for the metadata of a resource: its path, behind the well-known one; a lone slash is no path (RFC 9728 §3.1). */
export function formatMetadataPath(identifier: string): string {
  const { pathname } = new URL(identifier)
  return pathname === '/' ? ROOT_METADATA_PATH : `${ROOT_METADATA_PATH}${pathname}`
}

/** Protected resource metadata (RFC 9728 §2), as JSON. */
export interface ProtectedResourceMetadata {
  readonly resource: string
  readonly authorization_servers?: readonly string[]
  readonly scopes_supported?: readonly string[]
  readonly bearer_methods_supported?: readonly string[]
  readonly resource_name: string
}

/**
 * Creates the metadata of a protected resource. There is no `jwks_uri`: RFC 9728 §2 means keys of the resource itself, which has none; the
 * issuer's keys are in the issuer's own metadata.
 *
 * @param resource - the endpoint's protected resource
 * @returns the document; lists without a member are left out (RFC 9728 §3.2)
 */
export function createProtectedResourceMetadata(resource: ProtectedResource): ProtectedResourceMetadata {
  return {
    resource: resource.identifier,
    ...(resource.authorizationServers.length > 0 && { authorization_servers: resource.authorizationServers }),
    ...(resource.scopesSupported.length > 0 && { scopes_supported: resource.scopesSupported }),
    ...(resource.bearerMethods.length > 0 && { bearer_methods_supported: resource.bearerMethods }),
    resource_name: resource.name,
  }
}
