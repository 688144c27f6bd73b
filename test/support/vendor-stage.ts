import type { ConfigInput } from '../../src/config/schema/schema.ts'
import { createRawClient, type RawClient } from './broker-client.ts'
import { type Profile, startProfile } from './identity-profiles/profile.ts'
import { VENDOR_CLIENT, type Vendor } from './identity-profiles/vendor.ts'
import { AUTH0 } from './identity-profiles/vendors.ts'
import { startTestProxy, type TestProxy } from './proxy.ts'
import { type RecordingUpstream, startRecordingUpstream } from './recording-upstream.ts'

/** A broker in front of an identity provider whose answers a test decides. */
export interface VendorStage {
  readonly profile: Profile
  readonly proxy: TestProxy
  readonly upstream: RecordingUpstream
  readonly origin: string
  readonly url: string
  readonly client: RawClient
  close(): Promise<void>
}

export interface VendorStageOptions {
  /** Default: OpenID Connect with refresh tokens that are good once. */
  readonly vendor?: Vendor
  /** Members of `identity_provider`. */
  readonly provider?: (profile: Profile) => object
  readonly broker?: object
  /** Further members of the server. */
  readonly server?: object
}

/** Plain OpenID Connect, with a refresh token for `offline_access`. */
export const OIDC_VENDOR: Vendor = { ...AUTH0, issuer: ({ origin }) => origin, rotatesRefreshTokens: true }

export async function startVendorStage(options: VendorStageOptions = {}): Promise<VendorStage> {
  const { vendor = OIDC_VENDOR, provider = () => ({}), broker = {}, server = {} } = options
  const [profile, upstream] = await Promise.all([startProfile(vendor), startRecordingUpstream()])
  const identityProvider = {
    ...(vendor.metadataPath !== undefined && { issuer: profile.issuer, scopes: ['openid', 'profile', 'offline_access'] }),
    client_id: VENDOR_CLIENT.id,
    client_secret: { env: 'SECRET' },
    client_authentication: vendor.authentication,
    ...provider(profile),
  }
  const rules = [{ tool: 'admin_*', scopes: ['mcp:admin'] }]
  const proxy = await startTestProxy(
    {
      identity_provider: identityProvider as ConfigInput['identity_provider'] & object,
      broker: { store: { kind: 'memory' }, authorizations_per_minute: 100_000, registration: { per_minute: 1000 }, ...broker },
      servers: [{ path: '/mcp', upstream: `${upstream.origin}/mcp`, scopes: ['mcp:tools'], rules, ...server }],
    },
    { SECRET: VENDOR_CLIENT.secret },
  )
  const { origin } = proxy
  return {
    profile,
    proxy,
    upstream,
    origin,
    url: `${origin}/mcp`,
    client: await createRawClient(origin),
    async close() {
      await proxy.close()
      await Promise.all([profile.close(), upstream.close()])
    },
  }
}
