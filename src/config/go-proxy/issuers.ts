import { formatPath } from '../problem/problem.ts'
import { isTenant } from './asgardeo.ts'
import type { GoMetadata, GoProxyConfig } from './schema.ts'
import type { GoNotes } from './translation-notes.ts'

/** An issuer, in our format. */
export interface GoIssuer {
  issuer: string
  jwks_uri?: string
}

const METADATA_DOCUMENT = '/.well-known/oauth-authorization-server'

/** Requests of the OAuth flow, which the Go proxy passed on; the last one is a misprint of its sample. */
const AUTHORIZATION_PATHS = new Set([METADATA_DOCUMENT, '/authorize', '/token', '/register', '/authroize'])

/**
 * Finds out whose tokens are accepted.
 *
 * @param go - the old configuration
 * @param metadata - what it published about itself
 * @param hasAsgardeo - whether users sign in at Asgardeo, through the proxy
 * @param notes - takes what cannot be served, and what is not needed
 */
export function translateIssuers(go: GoProxyConfig, metadata: GoMetadata, hasAsgardeo: boolean, notes: GoNotes): GoIssuer[] {
  const listed = metadata.authorization_servers ?? []
  const issuers =
    listed.length > 0 ? translateListed(listed, go, metadata, notes) : hasAsgardeo ? [] : translateDefault(go, metadata, notes)
  noteRewriting(go, listed.length > 0 || hasAsgardeo, notes)
  checkDemo(go, issuers.length > 0 || hasAsgardeo, notes)
  return issuers
}

function translateListed(listed: readonly string[], go: GoProxyConfig, metadata: GoMetadata, notes: GoNotes): GoIssuer[] {
  const keys = go.default?.jwks_url || go.jwks_url || metadata.jwks_uri
  if (listed.length > 1 && keys !== undefined) {
    notes.note(
      'jwks_uri',
      'holds the keys of the first of the `authorization_servers`; the others name theirs in their metadata (`issuers[].jwks_uri`).',
    )
  }
  return listed.map((url, index) => ({
    issuer: normalizeIssuer(url, formatPath(['authorization_servers', index]), notes),
    ...(index === 0 && keys ? { jwks_uri: keys } : {}),
  }))
}

/** `default.base_url` with `default.jwks_url`, or the keys of the first version that said the same. */
function translateDefault(go: GoProxyConfig, metadata: GoMetadata, notes: GoNotes): GoIssuer[] {
  const base = go.default?.base_url || go.auth_server_base_url
  const keys = go.default?.jwks_url || go.jwks_url || metadata.jwks_uri
  if (!base) return []
  const key = go.default?.base_url ? 'default.base_url' : 'auth_server_base_url'
  const document = go.default?.path?.[METADATA_DOCUMENT]?.response
  const documented = typeof document?.issuer === 'string' && document.issuer !== '' ? document.issuer : undefined
  const issuer = documented ?? issuerFromKeys(keys) ?? normalizeIssuer(base, key, notes)
  notes.note(
    key,
    `the issuer is ${issuer}: \`iss\` of every token must be exactly this; the Go proxy did not check (\`issuers\`).`,
  )
  return [{ issuer, ...(keys ? { jwks_uri: keys } : {}) }]
}

/** Keycloak and Asgardeo keep the keys at a path below the issuer. */
function issuerFromKeys(keys: string | undefined): string | undefined {
  const realm = /^(?<issuer>https?:\/\/.+\/realms\/[^/]+)\/protocol\/openid-connect\/certs$/.exec(keys ?? '')?.groups?.issuer
  return realm ?? findAsgardeoIssuer((keys ?? '').replace(/\/jwks$/, ''))
}

function normalizeIssuer(url: string, key: string, notes: GoNotes): string {
  const issuer = findAsgardeoIssuer(url) ?? addAuth0Slash(url)
  if (issuer !== url) notes.note(key, `is read as ${issuer}, which is what its tokens say in \`iss\` (\`issuers\`).`)
  return issuer
}

/** The issuer of an Asgardeo organization ends in `/oauth2/token`, however its address is written. */
function findAsgardeoIssuer(url: string): string | undefined {
  const tenant = /^(?<base>https:\/\/api\.(?:[a-z]+\.)?asgardeo\.io\/t\/[^/]+(?:\/o\/[^/]+)?)(?:\/oauth2(?:\/token)?)?\/?$/.exec(
    url,
  )?.groups?.base
  return tenant === undefined ? undefined : `${tenant}/oauth2/token`
}

/** The issuer of an Auth0 tenant ends in a slash. */
function addAuth0Slash(url: string): string {
  return /^https:\/\/[a-z\d.-]+\.auth0\.com$/i.test(url) ? `${url}/` : url
}

/** What the Go proxy did to requests between client and issuer: not needed where clients find the issuer by themselves. */
function noteRewriting(go: GoProxyConfig, listed: boolean, notes: GoNotes): void {
  for (const [path, rewrite] of Object.entries(go.default?.path ?? {})) {
    const key = formatPath(['default', 'path', path])
    if (!AUTHORIZATION_PATHS.has(path) && rewrite.required_scopes === undefined) notes.note(key, 'has no effect, as before.')
    if (!listed) continue
    if (rewrite.response) notes.note(key, 'is not served: clients read the metadata of the issuer itself (`issuers`).')
    if ([rewrite.addQueryParams, rewrite.addBodyParams].some((added) => (added ?? []).length > 0))
      notes.note(key, 'adds nothing: clients talk to the issuer directly. If the issuer needs an audience, configure it there.')
  }
  if (!listed) return
  for (const path of Object.keys(go.path_mapping ?? {}))
    if (AUTHORIZATION_PATHS.has(path))
      notes.note(formatPath(['path_mapping', path]), 'is not served: clients talk to the issuer directly.')
}

/** The block of `--demo`, without the flag. */
function checkDemo(go: GoProxyConfig, served: boolean, notes: GoNotes): void {
  if (!isTenant(go.demo)) return
  if (served) return notes.note('demo', 'is not used. Start with `--demo` to sign users in at its organization.')
  notes.refuse(['demo'], {
    reason: 'is used with `--demo` only, and nothing else says who signs users in',
    fix: 'Start with `--demo`, or name an issuer under `authorization_servers`. The sandbox that came with the Go proxy is gone; without the block, `--demo` signs users in at one on this machine.',
  })
}
