import { z } from 'zod'
import { IDENTITY_PROVIDER_KINDS } from '../../identity/kinds.ts'
import { findIssuerMistake } from '../format/formats.ts'
import { findDomainMistake, findSegmentMistake } from '../format/identity-provider-formats.ts'
import { text } from './values.ts'

/** Which kind of identity provider there is, and where: each kind reads some of these keys. */
export const place = {
  kind: z
    .enum(IDENTITY_PROVIDER_KINDS)
    .optional()
    .describe(
      'The product, which sets its special settings: see identity-providers.md. By default `oidc` with `issuer`, `oauth` with `oauth`.',
    ),
  base_url: text(findIssuerMistake)
    .optional()
    .describe(
      'For `keycloak`: its URL up to `/realms`. For `asgardeo`: of WSO2 Identity Server. For `github`: of GitHub Enterprise Server. For `entra`: of a national cloud.',
    ),
  domain: text(findDomainMistake)
    .optional()
    .describe(
      'For `auth0` and `okta`: host of the tenant (`acme.eu.auth0.com`, `acme.okta.com`) or its custom domain. For `google`: Workspace domain whose accounts may sign in.',
    ),
  tenant: text(findSegmentMistake).optional().describe('For `entra`: Directory (tenant) ID.'),
  realm: text(findSegmentMistake).optional().describe('For `keycloak`: the realm.'),
  organization: text(findSegmentMistake)
    .optional()
    .describe('For `asgardeo`: the organization. For `github`: the organization whose members may sign in.'),
  region: text(findSegmentMistake).optional().describe('For `cognito`: AWS region. By default that of the user pool.'),
  user_pool: text(findSegmentMistake).optional().describe('For `cognito`: id of the user pool, like `eu-west-1_AbCdEf123`.'),
  authorization_server: text(findSegmentMistake)
    .optional()
    .describe('For `okta`: id of a custom authorization server, like `default`. Without it that of the organization.'),
  audience: z
    .string()
    .min(1)
    .optional()
    .describe(
      'For `auth0`: identifier of the API that the user’s own access tokens are for, with `credential: identity_provider_token`.',
    ),
}
