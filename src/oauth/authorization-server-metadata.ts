import type { Clock } from '../core/clock.ts'
import type { SafeFetch } from './safe-fetch.ts'
import { aimAtMetadataUrl } from './second-address.ts'

/** What a resource server needs to know of its authorization server (RFC 8414 §2). */
export interface AuthorizationServerMetadata {
  /** Equal to the issuer identifier that was asked for. */
  readonly issuer: string
  readonly jwksUri: string | undefined
  readonly introspectionEndpoint: string | undefined
  readonly tokenEndpoint: string | undefined
  /** Undefined where it does not say whether it knows PKCE. */
  readonly codeChallengeMethods: readonly string[] | undefined
}

/** An issuer, and where its metadata is for us if browsers reach it by another address. */
export interface IssuerAddress {
  readonly issuer: string
  readonly metadataUrl: string | undefined
}

/** The metadata of one issuer, fetched when first needed and now and then anew. */
export interface MetadataSource {
  /** @throws Error when no well-known URL gives usable metadata; the message says why for each */
  load(): Promise<AuthorizationServerMetadata>
  /** Has the next `load` ask again: what the metadata named did not work. */
  forget(): void
}

/** Endpoints move rarely. A caller that finds one gone calls `forget`. */
const KEEP_MS = 60 * 60 * 1000

/**
 * @param address - of the issuer
 * @param fetchJson - the outbound fetch of the issuer
 */
export function createMetadataSource(address: IssuerAddress, fetchJson: SafeFetch['fetchJson'], clock: Clock): MetadataSource {
  let kept: { readonly metadata: Promise<AuthorizationServerMetadata>; readonly until: number } | undefined
  const forget = () => {
    kept = undefined
  }
  return {
    forget,
    load() {
      if (kept !== undefined && clock.monotonic() < kept.until) return kept.metadata
      const metadata = loadAuthorizationServerMetadata(address, fetchJson)
      const entry = { metadata, until: clock.monotonic() + KEEP_MS }
      kept = entry
      metadata.catch(() => {
        if (kept === entry) forget()
      })
      return metadata
    },
  }
}

/**
 * Finds the metadata of an authorization server. Asks each well-known URL in the order of 2026-07-28
 * basic/authorization/authorization-server-discovery until one returns a document of this issuer.
 *
 * @param address - of the issuer; if it has a metadata URL, the well-known URLs are not requested
 * @param fetchJson - the outbound fetch of the issuer
 * @throws Error with the reason for each URL
 */
export async function loadAuthorizationServerMetadata(
  { issuer, metadataUrl }: IssuerAddress,
  fetchJson: SafeFetch['fetchJson'],
): Promise<AuthorizationServerMetadata> {
  const reasons: string[] = []
  for (const url of metadataUrl === undefined ? formatMetadataUrls(issuer) : [metadataUrl]) {
    try {
      // Issuer and URL are configuration, and the well-known URLs follow from the issuer alone.
      const { document } = await fetchJson(url, { namedBy: 'operator' })
      return parseMetadata(metadataUrl === undefined ? document : aimAtMetadataUrl(document, metadataUrl), issuer)
    } catch (error) {
      reasons.push(`${url}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  throw new Error(`no metadata of issuer ${issuer}: ${reasons.join('; ')}`)
}

/**
 * The well-known URLs of an issuer: RFC 8414 §3.1 with path insertion, OpenID Connect with path insertion (RFC 8414 §5), OpenID Connect
 * with path appending (Discovery 1.0 §4). A final slash of the issuer is left out of all of them (RFC 8414 §3.1, Discovery 1.0 §4.1).
 */
export function formatMetadataUrls(issuer: string): readonly string[] {
  const { origin, pathname } = new URL(issuer)
  const path = pathname.endsWith('/') ? pathname.slice(0, -1) : pathname
  const urls = [
    `${origin}/.well-known/oauth-authorization-server${path}`,
    `${origin}/.well-known/openid-configuration${path}`,
    `${origin}${path}/.well-known/openid-configuration`,
  ]
  return [...new Set(urls)]
}

function parseMetadata(document: Readonly<Record<string, unknown>>, issuer: string): AuthorizationServerMetadata {
  // RFC 8414 §3.3: the issuer must be identical, or the document belongs to another one.
  if (document.issuer !== issuer) throw new Error(describeMismatch(document.issuer, issuer))
  return {
    issuer,
    jwksUri: findText(document, 'jwks_uri'),
    introspectionEndpoint: findText(document, 'introspection_endpoint'),
    tokenEndpoint: findText(document, 'token_endpoint'),
    codeChallengeMethods: findTexts(document, 'code_challenge_methods_supported'),
  }
}

function describeMismatch(found: unknown, issuer: string): string {
  if (typeof found !== 'string') return 'the document has no issuer'
  const isSlash = found === `${issuer}/` || `${found}/` === issuer
  const hint = isSlash ? ' (they differ by the final slash: configure the issuer as it names itself)' : ''
  return `the document is of issuer ${JSON.stringify(found.slice(0, 200))}, not ${JSON.stringify(issuer)}${hint}`
}

function findText(document: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = document[name]
  return typeof value === 'string' && value !== '' ? value : undefined
}

function findTexts(document: Readonly<Record<string, unknown>>, name: string): readonly string[] | undefined {
  const value = document[name]
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : undefined
}
