import { z } from 'zod'
import { findBlankMistake } from '../format/formats.ts'
import { ALGORITHMS } from './algorithms.ts'
import { secret, text } from './values.ts'

/** A client of the proxy at an authorization server, and how it authenticates there. */
export const oauthClientKeys = {
  client_id: text(findBlankMistake).describe('Client id of the proxy at the issuer.'),
  client_secret: secret.optional().describe('Client secret, for `client_secret_basic` and `client_secret_post`.'),
  client_authentication: z
    .enum(['client_secret_basic', 'client_secret_post', 'private_key_jwt'])
    .default('client_secret_basic')
    .describe('How the proxy authenticates at the endpoint.'),
  private_key: secret.optional().describe('Private key, PEM or JWK, for `private_key_jwt`.'),
  algorithm: z
    .enum(ALGORITHMS)
    .optional()
    .describe('Signature algorithm for `private_key_jwt`. By default the first that fits the key.'),
  key_id: text(findBlankMistake).optional().describe('`kid` for `private_key_jwt`.'),
}

const oauthClient = z.strictObject(oauthClientKeys)

export type OAuthClientConfig = z.output<typeof oauthClient>
