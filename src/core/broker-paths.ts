/** The public paths of the broker. All of them lie under the public URL, which is its issuer. */
export const BROKER_PATHS = {
  /** In the words of oidc-provider. */
  provider: {
    authorization: '/authorize',
    token: '/token',
    registration: '/register',
    revocation: '/revoke',
    introspection: '/introspect',
    jwks: '/jwks',
  },
  /** Sign-in and consent; the last segment is the interaction's id. */
  signIn: '/sign-in',
  /** Where the identity provider sends users back to. */
  callback: '/oauth/callback',
  /** Accounts at MCP servers; served where an MCP server has some. */
  connections: {
    list: '/connections',
    /** The last segment says what is asked for, of whom. */
    link: '/connections/link',
    /** The last segment names MCP server and authorization server. */
    callback: '/connections/callback',
    client: '/connections/client',
  },
} as const

/** Where issuers post logout tokens, with and without a broker. */
export const LOGOUT_PATH = '/oauth/backchannel-logout'

/** Where the keys are published that verify assertions of who calls, with and without a broker. */
export const IDENTITY_KEYS_PATH = '/identity/jwks'

const METADATA_NAMES = ['oauth-authorization-server', 'openid-configuration']

/**
 * Every path at which clients look for the metadata: that of the issuer (RFC 8414 §3.1, OpenID Connect Discovery §4), and for clients
 * that look before they know the issuer, those made from the path of each MCP endpoint.
 *
 * @param endpoints - paths of MCP endpoints
 */
export function listMetadataPaths(endpoints: readonly string[]): string[] {
  return METADATA_NAMES.flatMap((name) => [
    `/.well-known/${name}`,
    ...endpoints.flatMap((path) => [`/.well-known/${name}${path}`, `${path}/.well-known/${name}`]),
  ])
}
