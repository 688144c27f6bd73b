import { z } from 'zod'
import { findBlankMistake, findKeyUrlMistake } from '../format/formats.ts'
import { issuerOrText } from './issuer.ts'
import { list, scopes, secret, text } from './values.ts'

/** A client of the broker that is known beforehand. */
export const client = z
  .strictObject({
    client_id: text(findBlankMistake).describe('Client id.'),
    name: text(findBlankMistake).optional().describe('Name on the consent page. By default the client id.'),
    redirect_uris: list(text(findBlankMistake))
      .default([])
      .describe('Where users may be sent back to. Needed for `authorization_code`.'),
    client_secret: secret
      .optional()
      .describe('Client secret (`client_secret_basic`, `client_secret_post`). A client with neither secret nor keys is public.'),
    public_keys_file: z
      .string()
      .min(1)
      .optional()
      .describe('Public keys (JWK set, JWK or PEM) of a client that signs its assertions (`private_key_jwt`).'),
    jwks_uri: text(findKeyUrlMistake).optional().describe('Where such a client publishes its keys.'),
    grants: list(z.enum(['authorization_code', 'client_credentials', 'jwt_bearer', 'token_exchange']))
      .min(1)
      .default(['authorization_code'])
      .describe(
        'How it may get tokens: `authorization_code` with refresh tokens for users who sign in; the others are for machines and need a secret or keys.',
      ),
    scopes: scopes()
      .min(1)
      .optional()
      .describe(
        'Most scopes that it may have. By default no limit of its own; with `client_credentials`, what a server asks of every call.',
      ),
    servers: list(text(findBlankMistake))
      .min(1)
      .optional()
      .describe('Names of the servers that it may have tokens for. By default all of them.'),
  })
  .meta({ id: 'Client', description: 'A preregistered client.' })

export const identityAssertions = z
  .strictObject({
    issuers: z
      .array(issuerOrText)
      .default([])
      .describe('Identity providers whose assertions are accepted. Only their keys are looked at.'),
  })
  .describe(
    'Enterprise-managed authorization: clients with the grant `jwt_bearer` get tokens for identity assertions (ID-JAG) of the company’s identity provider, without a page in between.',
  )

export const tokenExchange = z
  .strictObject({
    issuers: z.array(issuerOrText).default([]).describe('Issuers whose access tokens can be exchanged, besides our own.'),
    audiences: list(text(findBlankMistake))
      .default([])
      .describe('Audiences that such tokens may have, besides `public_url` and the URLs of the servers.'),
  })
  .describe('Token exchange (RFC 8693), for clients with the grant `token_exchange`.')

export type ClientConfig = z.output<typeof client>
