import { z } from 'zod'
import { findBlankMistake, findCompanyMistake, findIssuerMistake, findKeyUrlMistake, findUrlMistake } from '../format/formats.ts'
import { asgardeoKeys } from './asgardeo.ts'
import { client, identityAssertions, tokenExchange } from './clients.ts'
import { condition, grantRule } from './grant-rule.ts'
import { groupsKeys } from './groups.ts'
import { place } from './identity-provider.ts'
import { encryptionKeys, store } from './store.ts'
import { list, scopes, seconds, secret, text, whole } from './values.ts'

const YEAR = 31_536_000

const allowRule = z.strictObject(condition).meta({ id: 'AllowRule', description: 'A condition that a user may meet.' })

const plainOAuth = z
  .strictObject({
    authorization_endpoint: text(findUrlMistake).describe('Where users sign in.'),
    token_endpoint: text(findKeyUrlMistake).describe('Where codes are exchanged.'),
    userinfo_endpoint: text(findKeyUrlMistake).describe(
      'Where the claims of the user are, for example `https://api.github.com/user`.',
    ),
    subject_claim: text(findBlankMistake)
      .default('sub')
      .describe('Claim that identifies a user for ever. `id` at GitHub, where names can change hands.'),
  })
  .meta({ id: 'PlainOAuth', description: 'A provider that speaks OAuth without OpenID Connect, such as GitHub.' })

export const identityProvider = z
  .strictObject({
    ...place,
    issuer: text(findIssuerMistake)
      .optional()
      .describe(
        'Issuer identifier, letter by letter as the provider’s metadata has it (OpenID Connect). Needed for `oidc`; otherwise instead of the keys that it is made from.',
      ),
    metadata_url: text(findKeyUrlMistake)
      .optional()
      .describe(
        'Where the proxy finds the metadata, if it reaches the provider by another address than browsers do (`http://keycloak:8080/realms/main/.well-known/openid-configuration`). The document names the issuer all the same; endpoints that it has at the issuer’s address are asked at this one.',
      ),
    oauth: plainOAuth.optional(),
    name: text(findBlankMistake)
      .optional()
      .describe('Its name on the sign-in pages. By default the name of the product, or its host.'),
    client_id: text(findBlankMistake)
      .optional()
      .describe('Client id of the proxy at the provider. Its redirect URI is `public_url` plus `/oauth/callback`.'),
    client_secret: secret.optional().describe('Client secret of the proxy at the provider.'),
    ...asgardeoKeys,
    client_authentication: z
      .enum(['client_secret_basic', 'client_secret_post', 'none'])
      .optional()
      .describe(
        'How the proxy authenticates there. By default the usual method of the kind; `client_secret_basic` for `oidc`, `client_secret_post` for `oauth`.',
      ),
    scopes: scopes()
      .optional()
      .describe(
        'Scopes to request. By default those that the kind needs: `openid`, `profile` and `email` for `oidc`, none for `oauth`. Many providers give a refresh token for `offline_access` only: with one, the end of a user’s session there ends it here.',
      ),
    authorization_parameters: z
      .record(z.string(), z.string())
      .default({})
      .describe('Further parameters of the authorization request, beside those of the kind.'),
    userinfo: z
      .boolean()
      .optional()
      .describe(
        'Ask the userinfo endpoint of its metadata for claims. `false` for a provider whose endpoint refuses the proxy (AD FS); its ID tokens have to hold all claims then. By default `true`, but for `entra`.',
      ),
    unrefreshed_seconds: seconds(YEAR)
      .default(28_800)
      .describe(
        'Seconds for which users go on without a word of the provider on them. Matters where it gives no refresh token and its access token is over: then they have to sign in again.',
      ),
    timeout_seconds: seconds(120)
      .default(10)
      .describe(
        'Seconds to wait for an answer of the provider. A new refresh token that comes later than that is kept nevertheless.',
      ),
    allow: z
      .array(allowRule)
      .default([])
      .describe('Who may sign in: users who meet one of these. Without any, every user of the provider.'),
    grant: z
      .array(grantRule)
      .min(1)
      .optional()
      .describe('Which scopes users may have; all rules that match add up. Without it every user may have every scope.'),
    ...groupsKeys,
    token_claims: list(text(findBlankMistake)).default([]).describe('Claims of the user that access tokens carry.'),
    allow_private_network: z
      .boolean()
      .default(false)
      .describe('Follow addresses in the metadata of the provider into private networks although its own host is public.'),
    ca_file: z.string().min(1).optional().describe('Certificate authorities (PEM) to trust beside the usual ones.'),
  })
  .meta({
    id: 'IdentityProvider',
    description:
      'The identity provider that users sign in with, if it cannot serve MCP clients itself. The proxy is then the authorization server.',
  })

const registration = z
  .strictObject({
    enabled: z.boolean().default(true).describe('Let clients register themselves (RFC 7591).'),
    most_clients: whole(1, 1_000_000)
      .default(10_000)
      .describe('Maximum number of registrations. When it is reached, the oldest unused one is evicted.'),
    per_minute: whole(1, 10_000)
      .default(20)
      .describe(
        'Registrations that one address may ask for within a minute; networks around it have four (IPv4 /24, IPv6 /48) and ten times as many (/16, /32).',
      ),
    unused_seconds: seconds(YEAR)
      .default(86_400)
      .describe('Seconds after which an unused registration (no user signed in with it) expires.'),
    idle_seconds: seconds(YEAR).default(7_776_000).describe('Seconds without use after which a registration expires.'),
  })
  .describe('Dynamic client registration.')

const clientMetadata = z
  .strictObject({
    enabled: z.boolean().default(true).describe('Accept URLs of metadata documents as client ids.'),
    allow_private_network: z
      .boolean()
      .default(false)
      .describe('Fetch such documents from private networks and this machine too.'),
    ca_file: z.string().min(1).optional().describe('Certificate authorities (PEM) to trust beside the usual ones.'),
  })
  .describe('Client ID metadata documents.')

export const broker = z
  .strictObject({
    store: store.optional().describe('The same as `store` at the top, under its former name. Not both.'),
    encryption_keys: encryptionKeys
      .optional()
      .describe('The same as `encryption_keys` at the top, under its former name. Not both.'),
    access_token_seconds: seconds().default(3600).describe('Lifetime of access tokens.'),
    refresh_token_seconds: seconds(YEAR).default(2_592_000).describe('Seconds without use after which a refresh token ends.'),
    refresh_grace_seconds: z
      .number()
      .min(0)
      .max(300)
      .default(30)
      .describe('Seconds for which a used refresh token may be used again, by a client that never got the answer.'),
    grant_seconds: seconds(YEAR)
      .default(7_776_000)
      .describe('Seconds after which users sign in anew, whatever was refreshed meanwhile.'),
    browser_seconds: seconds(YEAR).default(86_400).describe('Seconds for which a browser stays signed in.'),
    signing_key_seconds: seconds(YEAR).default(2_592_000).describe('Seconds after which tokens are signed with a new key.'),
    authorizations_per_minute: whole(1, 100_000)
      .default(120)
      .describe(
        'Authorization requests that one address may send within a minute. Set `trusted_proxies` where all seem to come from one.',
      ),
    token_requests_per_minute: whole(1, 1_000_000)
      .default(1200)
      .describe(
        'Requests to the token and revocation endpoints that one address may send within a minute, and to the introspection endpoint by others than clients of the configuration: enough for tens of thousands of users behind one address. Set `trusted_proxies` where all seem to come from one.',
      ),
    scope_descriptions: z
      .record(z.string(), z.string())
      .default({})
      .describe('What scopes permit, for the user who is asked: `"mcp:admin": Change settings of the server`.'),
    company: text(findCompanyMistake)
      .optional()
      .describe(
        'Name of the company, at the top of the pages that users see, also where a browser opens the address of a server; at most 80 characters.',
      ),
    logo: z
      .string()
      .min(1)
      .optional()
      .describe(
        'Image beside it: a PNG, SVG, JPEG or WebP file of at most 100 KiB, which becomes a part of each page. A smaller one makes pages faster.',
      ),
    favicon: z.string().min(1).optional().describe('Icon for the browser’s tab, a file like `logo`. By default a shield.'),
    registration: registration.prefault({}),
    client_metadata: clientMetadata.prefault({}),
    clients: z.array(client).default([]).describe('Preregistered clients.'),
    identity_assertions: identityAssertions.prefault({}),
    token_exchange: tokenExchange.prefault({}),
  })
  .meta({ id: 'Broker', description: 'The authorization server that the proxy is when there is an `identity_provider`.' })

export type IdentityProviderConfig = z.output<typeof identityProvider>
