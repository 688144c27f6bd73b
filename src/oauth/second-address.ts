/** Endpoints that are asked by us, not by browsers. */
const ASKED = ['token_endpoint', 'userinfo_endpoint', 'jwks_uri', 'introspection_endpoint'] as const

const OPENID = '/.well-known/openid-configuration'

/**
 * Metadata of an issuer that we reach at another address than browsers do (two networks, one provider): endpoints below the issuer, or at
 * the issuer's origin, are requested where the metadata was found.
 */
export function aimAtMetadataUrl<T extends Readonly<Record<string, unknown>>>(metadata: T, metadataUrl: string): T {
  const issuer = URL.parse(String(metadata.issuer))
  if (issuer === null) return metadata
  const aimed = ASKED.flatMap((name) => {
    const url = URL.parse(String(metadata[name]))
    return url?.origin === issuer.origin ? [[name, aim(url, issuer, new URL(metadataUrl))] as const] : []
  })
  return { ...metadata, ...Object.fromEntries(aimed) }
}

/** A proxy on the way of the browsers may add a path: the issuer has it then, and the address of the metadata has not. */
function aim(url: URL, issuer: URL, metadata: URL): string {
  const [from, to] = [`${trim(issuer.pathname)}/`, `${trim(metadata.pathname.slice(0, -OPENID.length))}/`]
  const isBelow = url.pathname.startsWith(from) && metadata.pathname.endsWith(OPENID)
  const path = isBelow ? `${to}${url.pathname.slice(from.length)}` : url.pathname
  return new URL(path + url.search, metadata).href
}

function trim(path: string): string {
  return path.endsWith('/') ? path.slice(0, -1) : path
}
