/** Endpoints that are asked by us, not by browsers. */
const ASKED = ['token_endpoint', 'userinfo_endpoint', 'jwks_uri'] as const

/**
 * Metadata of an issuer that we reach by another address than browsers do (two networks, one provider): what it has at the issuer's
 * address is asked for where the metadata was.
 */
export function aimAtMetadataUrl<T extends Readonly<Record<string, unknown>>>(metadata: T, metadataUrl: string): T {
  const from = URL.parse(String(metadata.issuer))?.origin
  const aimed: Record<string, unknown> = {}
  for (const name of ASKED) {
    const named = metadata[name]
    const url = typeof named === 'string' ? URL.parse(named) : null
    if (url !== null && url.origin === from) aimed[name] = new URL(url.pathname + url.search, metadataUrl).href
  }
  return { ...metadata, ...aimed }
}
