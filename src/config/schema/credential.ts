import { z } from 'zod'
import { findBlankMistake, findIssuerMistake, findKeyUrlMistake, findUrlMistake } from '../format/formats.ts'
import { oauthClientKeys } from './oauth-client.ts'
import { list, scopes, text } from './values.ts'

/** What needs nothing but its name, which is then shorthand for `{ kind: … }`. */
const PLAIN_CREDENTIALS = ['none', 'access_token', 'identity_provider_token'] as const
/** What an authorization server issues. */
export const DELEGATED_CREDENTIALS = ['token_exchange', 'on_behalf_of', 'identity_assertion', 'client_credentials'] as const

/** What a user connects once: an account at the MCP server itself. */
export const OWN_ACCOUNT = 'own_account'

/** An authorization server, and the client of the proxy there. Which of these are needed depends on the kind. */
const tokenIssuerKeys = {
  issuer: text(findIssuerMistake).optional().describe('Issuer identifier of the authorization server.'),
  metadata_url: text(findKeyUrlMistake)
    .optional()
    .describe('Where the proxy finds the metadata, if it reaches the authorization server by another address.'),
  token_endpoint: text(findKeyUrlMistake).optional().describe('Token endpoint. Without it the metadata names it.'),
  ...oauthClientKeys,
  client_id: oauthClientKeys.client_id.optional().describe('Client id of the proxy at the authorization server.'),
  allow_private_network: z
    .boolean()
    .default(false)
    .describe('Follow addresses in the metadata into private networks although the host of the issuer is public.'),
  ca_file: z.string().min(1).optional().describe('Certificate authorities (PEM) to trust beside the usual ones.'),
}

const assertingProvider = z.strictObject(tokenIssuerKeys).meta({
  id: 'AssertingProvider',
  description: 'The identity provider that gives identity assertions, and the client of the proxy there.',
})

const credential = z
  .strictObject({
    kind: z
      .enum([...PLAIN_CREDENTIALS, ...DELEGATED_CREDENTIALS, OWN_ACCOUNT])
      .describe(
        'What the MCP server gets: `none`, `access_token` (the one of the caller, as `forward_access_token`), `identity_provider_token` (the user’s own one of the identity provider), or one that an authorization server issues for it: `token_exchange` (RFC 8693), `on_behalf_of` (Entra ID), `identity_assertion` (ID-JAG of the identity provider, then JWT bearer grant), `client_credentials` (of the proxy itself, the same for all callers). `own_account`: a token of the authorization server that the MCP server names itself, for an account that each user connects once.',
      ),
    ...tokenIssuerKeys,
    issuer: tokenIssuerKeys.issuer.describe(
      'Issuer identifier of the authorization server that issues the token. With `token_exchange` and `on_behalf_of` by default the issuer of the callers, where there is one; with `identity_provider` that one. With `own_account` the only one that may be used of those that the MCP server names; needed where `client_id` is given.',
    ),
    audience: list(text(findBlankMistake)).default([]).describe('`audience` of the request: names of what the token is for.'),
    resource: list(text(findUrlMistake))
      .default([])
      .describe(
        '`resource` of the request (RFC 8707): URLs of what the token is for. With `identity_assertion` by default the URL of the MCP server.',
      ),
    scopes: scopes()
      .default([])
      .describe(
        'Scopes to ask for. By default those that the authorization server gives without being asked; with `own_account` those that the MCP server names.',
      ),
    subject_token_type: z
      .enum(['access_token', 'id_token'])
      .optional()
      .describe(
        'What is exchanged. By default the access token, with `identity_assertion` the ID token. Of users who sign in with the proxy it is the one that the identity provider issued; of others, the token that they presented.',
      ),
    identity_provider: assertingProvider
      .optional()
      .describe(
        'For `identity_assertion`: where the assertion comes from. By default the `identity_provider` at the top, with its client.',
      ),
  })
  .meta({ id: 'Credential', description: 'What an MCP server gets to act for the caller. A word is short for `{ kind: … }`.' })

/** A credential; a word is shorthand for `{ kind: … }`. */
export const credentialOrText = z
  .pipe(
    z.transform((value: string | z.input<typeof credential>) => (typeof value === 'string' ? { kind: value } : value)),
    credential,
  )
  .meta({ shorthand: 'kind' })

export type CredentialConfig = z.output<typeof credential>
export type TokenIssuerConfig = z.output<typeof assertingProvider>
