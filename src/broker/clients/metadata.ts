import { errors } from 'oidc-provider'
import { filterRedirectUris, isUsableForStrangers, isWebClient } from '../../core/redirect-uris.ts'
import { findClientKeysProblem } from '../../oauth/client-keys.ts'

/** Longest name, in UTF-16 units; pages shorten it further. */
const MAX_NAME = 1000
/** Most that is kept of a client, in UTF-16 units of JSON: as much as a metadata document may have. */
const MAX_KEPT = 10 * 1024

/** How deep members may be nested: `jwks` has two levels, and a key lists within. */
const MAX_DEPTH = 8

/** Members that would have us fetch, remember or believe what MCP clients don't need (RFC 7591 §2, OpenID Connect Registration §2). */
const USELESS_MEMBERS = [
  // A limit for the client's whole life, but MCP clients register with what they need first and step up later.
  'scope',
  'sector_identifier_uri',
  'software_statement',
  'initiate_login_uri',
  'default_max_age',
  'require_auth_time',
  'default_acr_values',
  'contacts',
  'id_token_signed_response_alg',
  'subject_type',
  'response_modes',
]

const GRANT_TYPES = new Set(['authorization_code', 'refresh_token'])

/**
 * Makes what a client says of itself (by registration or in its metadata document) what it is here. Works on the object itself.
 *
 * @param metadata - the members as they came
 * @param isKnown - whether they are those of the configuration
 * @throws errors.InvalidClientMetadata
 */
export function settleClientMetadata(metadata: Record<string, unknown>, isKnown = false): void {
  for (const member of USELESS_MEMBERS) delete metadata[member]
  if (isDeeper(metadata, MAX_DEPTH))
    throw new errors.InvalidClientMetadata(`members must not be nested more than ${MAX_DEPTH} levels deep`)
  // One is made for every client that doesn't say how it authenticates; here that is not at all.
  if (metadata.token_endpoint_auth_method === 'none') delete metadata.client_secret
  if (metadata.client_secret === undefined) delete metadata.client_secret_expires_at
  settleName(metadata, isKnown)
  if (!isKnown) checkKeys(metadata)
  if (!isKnown) settleGrantTypes(metadata)
  // A machine has no user to be sent back.
  if (isKnown && Array.isArray(metadata.response_types) && metadata.response_types.length === 0) return
  settleRedirectUris(metadata, isKnown)
  // The number of registrations is bounded, and so is with this what all of them together take.
  if (!isKnown && JSON.stringify(metadata).length > MAX_KEPT)
    throw new errors.InvalidClientMetadata(`a registration must not exceed ${MAX_KEPT} characters`)
}

/** Maximum depth: deeper nesting could not be serialized anyway. */
function isDeeper(value: unknown, most: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return most === 0 || Object.values(value).some((inner) => isDeeper(inner, most - 1))
}

function checkKeys({ jwks }: Record<string, unknown>): void {
  const keys = typeof jwks === 'object' && jwks !== null && 'keys' in jwks ? jwks.keys : undefined
  const problem = findClientKeysProblem(keys)
  if (problem !== undefined) throw new errors.InvalidClientMetadata(`jwks: ${problem}`)
}

function settleName(metadata: Record<string, unknown>, isKnown: boolean): void {
  const { client_name: name } = metadata
  // Client ID metadata documents, as the specification of MCP has them (2026-07-28, client registration).
  const isDocument = typeof metadata.client_id === 'string' && metadata.client_id.startsWith('https://')
  if (isDocument && !isKnown && (name === undefined || name === ''))
    throw new errors.InvalidClientMetadata('client_name is required in a metadata document')
  if (name === undefined) return
  if (typeof name !== 'string' || name.length > MAX_NAME)
    throw new errors.InvalidClientMetadata(`client_name must be a string of at most ${MAX_NAME} characters`)
  if (name === '') delete metadata.client_name
}

/** Clients list what they could do (Claude Desktop: jwt-bearer, though it is public); they get what is possible here. */
function settleGrantTypes(metadata: Record<string, unknown>): void {
  const { grant_types: types, response_types: responses } = metadata
  if (Array.isArray(types)) metadata.grant_types = types.filter((type) => GRANT_TYPES.has(type))
  if (Array.isArray(responses)) metadata.response_types = responses.filter((type) => type === 'code')
  // What is left would be a client that can do nothing (RFC 7591 §2.1).
  if (Array.isArray(types) && !types.includes('authorization_code'))
    throw new errors.InvalidClientMetadata('grant_types must contain authorization_code')
  if (Array.isArray(responses) && !responses.includes('code'))
    throw new errors.InvalidClientMetadata('response_types must contain code')
}

function settleRedirectUris(metadata: Record<string, unknown>, isKnown: boolean): void {
  const { redirect_uris: uris } = metadata
  if (!Array.isArray(uris)) throw new errors.InvalidClientMetadata('redirect_uris must be an array of strings')
  const usable = isKnown ? filterRedirectUris(uris) : filterRedirectUris(uris, isUsableForStrangers)
  if (usable.length === 0) {
    throw new errors.InvalidClientMetadata(
      'redirect_uris must contain one that is usable: https, http on a loopback address, or a private-use scheme such as com.example.app:/callback',
    )
  }
  metadata.redirect_uris = usable
  metadata.application_type = isWebClient(usable) ? 'web' : 'native'
}
