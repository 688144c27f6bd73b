/**
 * `open-mcp-auth-proxy/protected-resource-metadata`: the document by which MCP clients find the authorization server (RFC 9728).
 *
 * @example
 * import { createProtectedResourceMetadata, formatMetadataUrl } from 'open-mcp-auth-proxy/protected-resource-metadata'
 *
 * const resource = 'https://mcp.example.com/mcp'
 * const url = formatMetadataUrl(resource) // https://mcp.example.com/.well-known/oauth-protected-resource/mcp
 * const document = createProtectedResourceMetadata({
 *   resource,
 *   authorizationServers: ['https://idp.example.com'],
 *   name: 'Files',
 * })
 * // Serve JSON.stringify(document) at that URL, with `Access-Control-Allow-Origin: *`.
 */

import type { BearerMethod } from '../core/route-facts.ts'
import {
  createProtectedResourceMetadata as create,
  formatMetadataPath,
  type ProtectedResourceMetadata,
} from '../oauth/protected-resource.ts'

export type { BearerMethod, ProtectedResourceMetadata }

/** A protected resource: an MCP server as clients know it. */
export interface ProtectedResource {
  /** Resource identifier: the URL that users enter into their MCP client. `http` or `https`, without query, fragment or user information. */
  readonly resource: string
  /** Issuer identifiers of the authorization servers whose access tokens the resource accepts, letter by letter. */
  readonly authorizationServers: readonly string[]
  /** What users are shown. */
  readonly name: string
  /** Scopes that clients should ask for first; left out of the document when empty. */
  readonly scopesSupported?: readonly string[] | undefined
  /** How clients may present their access token; `['header']` by default. */
  readonly bearerMethods?: readonly BearerMethod[] | undefined
}

/**
 * Makes the metadata of a protected resource.
 *
 * @param resource - what to publish
 * @returns the document, to be serialized as JSON
 * @throws TypeError when the resource identifier is not as required
 */
export function createProtectedResourceMetadata(resource: ProtectedResource): ProtectedResourceMetadata {
  const metadataUrl = formatMetadataUrl(resource.resource)
  return create({
    identifier: resource.resource,
    metadataUrl,
    metadataPath: new URL(metadataUrl).pathname,
    authorizationServers: resource.authorizationServers,
    scopesSupported: resource.scopesSupported ?? [],
    bearerMethods: resource.bearerMethods ?? ['header'],
    name: resource.name,
  })
}

/**
 * Where clients look for the metadata of a protected resource: its path behind the well-known one, at the same origin (RFC 9728 §3.1).
 *
 * @param resource - the resource identifier
 * @returns an absolute URL
 * @throws TypeError when the resource identifier is not as required
 */
export function formatMetadataUrl(resource: string): string {
  const url = URL.canParse(resource) ? new URL(resource) : undefined
  if (url === undefined || !isIdentifier(url, resource))
    throw new TypeError('a resource identifier is an http or https URL without query, fragment and user information')
  return `${url.origin}${formatMetadataPath(resource)}`
}

function isIdentifier({ protocol, username, password }: URL, text: string): boolean {
  return (protocol === 'http:' || protocol === 'https:') && username === '' && password === '' && !/[?#]/.test(text)
}
