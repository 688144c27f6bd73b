import { z } from 'zod'
import { findBlankMistake, findIssuerMistake, findKeyUrlMistake } from '../format/formats.ts'
import { findTrustDomainMistake } from '../format/machine-formats.ts'
import { ALGORITHMS } from './algorithms.ts'
import { grantRule } from './grant-rule.ts'
import { groupsKeys } from './groups.ts'
import { oauthClientKeys } from './oauth-client.ts'
import { list, seconds, text } from './values.ts'

const MONTH = 2_592_000

const introspection = z
  .strictObject({
    endpoint: text(findKeyUrlMistake)
      .optional()
      .describe('Introspection endpoint. Without it the metadata of the issuer names it.'),
    ...oauthClientKeys,
    cache_seconds: z
      .number()
      .min(0)
      .max(86_400)
      .default(60)
      .describe('Longest time for which an answer "active" is kept, never beyond `exp`.'),
    negative_cache_seconds: z
      .number()
      .min(0)
      .max(3600)
      .default(10)
      .describe('Longest time for which an answer "not active" is kept.'),
  })
  .meta({ id: 'Introspection', description: 'Opaque access tokens, checked by token introspection (RFC 7662).' })

const issuer = z
  .strictObject({
    issuer: text(findIssuerMistake).describe(
      'Issuer identifier, letter by letter as in the `iss` claim, with or without its final slash.',
    ),
    metadata_url: text(findKeyUrlMistake)
      .optional()
      .describe(
        'Where the proxy finds the metadata, if it reaches the issuer by another address than clients do (`http://keycloak:8080/realms/main/.well-known/openid-configuration`). The document names the issuer all the same; keys and introspection that it has at the issuer’s address are asked for at this one.',
      ),
    jwks_uri: text(findKeyUrlMistake).optional().describe('Where the keys are. Without it the metadata of the issuer says so.'),
    algorithms: list(z.enum(ALGORITHMS))
      .min(1)
      .default([...ALGORITHMS])
      .describe('Signature algorithms that are accepted.'),
    audience_claims: list(z.enum(['aud', 'client_id', 'azp']))
      .min(1)
      .default(['aud'])
      .describe(
        'Claims that may name the audience. `client_id` or `azp` for issuers that put none into `aud` (Amazon Cognito, for example).',
      ),
    scope_claims: list(text(findBlankMistake))
      .min(1)
      .optional()
      .describe(
        'Claims that hold scopes; all that are listed count. Dots reach into objects: `realm_access.roles`. By default `scope` and `scp`; `permissions` and `roles` count only for tokens that have neither of these.',
      ),
    grant: z
      .array(grantRule)
      .min(1)
      .optional()
      .describe(
        'Scopes that tokens have by other claims, besides those that they name; all rules that match add up. For issuers that know no scopes: those of [workloads](recipes/workloads.md), for example.',
      ),
    spiffe_trust_domain: text(findTrustDomainMistake)
      .optional()
      .describe(
        'Trust domain of SPIFFE, `example.org`: the issuer signs JWT-SVIDs. Tokens without `iss` are then known by their `sub`, and those with another trust domain are refused.',
      ),
    fetch_token_file: z
      .string()
      .min(1)
      .optional()
      .describe(
        'File with a bearer token that is shown where metadata and keys are fetched, read anew each time. For the API server of Kubernetes: `/var/run/secrets/kubernetes.io/serviceaccount/token`. It is sent only to the addresses of `issuer` (or `metadata_url`) and `jwks_uri`.',
      ),
    ...groupsKeys,
    clock_tolerance_seconds: z.number().min(0).max(60).default(30).describe('How far the clocks of issuer and proxy may differ.'),
    max_lifetime_seconds: seconds(MONTH * 12)
      .optional()
      .describe('Longest accepted lifetime of a token (`exp` minus `iat`). No limit by default.'),
    stale_keys_seconds: z
      .number()
      .min(0)
      .max(MONTH)
      .default(86_400)
      .describe('Seconds for which known keys are used while the issuer is down.'),
    refresh_keys_seconds: seconds().default(300).describe('Seconds after which keys are fetched anew, in the background.'),
    accept_id_tokens: z
      .boolean()
      .default(false)
      .describe('Accept ID tokens as access tokens, for providers that issue nothing else.'),
    allow_private_network: z
      .boolean()
      .default(false)
      .describe('Follow addresses in the metadata of the issuer into private networks although its own host is public.'),
    ca_file: z
      .string()
      .min(1)
      .optional()
      .describe('Certificate authorities (PEM) to trust beside the usual ones when talking to the issuer.'),
    introspection: introspection.optional(),
    backchannel_logout: z
      .strictObject({
        client_ids: list(text(findBlankMistake))
          .min(1)
          .describe('Ids of the clients at the issuer for which it sends logout tokens.'),
      })
      .optional()
      .describe(
        'Have the issuer tell of users who log out (OpenID Connect Back-Channel Logout): their tokens are refused within five seconds. The issuer posts to `/oauth/backchannel-logout`.',
      ),
  })
  .meta({ id: 'Issuer', description: 'An authorization server whose access tokens are accepted.' })

/** An issuer; a string is shorthand for `{ issuer: … }`. */
export const issuerOrText = z
  .pipe(
    z.transform((value: string | z.input<typeof issuer>) => (typeof value === 'string' ? { issuer: value } : value)),
    issuer,
  )
  .meta({ shorthand: 'issuer' })

export type IssuerConfig = z.output<typeof issuer>
export type IntrospectionConfig = z.output<typeof introspection>
