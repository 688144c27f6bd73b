import { z } from 'zod'
import { findBlankMistake, findIssuerMistake, findKeyUrlMistake, findUrlMistake } from '../format/formats.ts'
import { list, text } from './values.ts'

const parameters = (where: string) =>
  z.record(z.string(), z.string()).default({}).describe(`Parameters that ${where} get, whatever the client says of them.`)

export const rewrite = z
  .strictObject({
    issuer: text(findIssuerMistake).describe('Issuer of the tokens: one of `issuers`.'),
    authorization_endpoint: text(findUrlMistake).describe('Where browsers are sent that ask for `/authorize`.'),
    token_endpoint: text(findKeyUrlMistake).describe('Where requests to `/token` go.'),
    registration_endpoint: text(findKeyUrlMistake)
      .optional()
      .describe('Where requests to `/register` go. Without it, clients cannot register.'),
    authorization_parameters: parameters('authorization requests'),
    token_parameters: parameters('token requests').describe(
      'Parameters that token requests get, whatever the client says of them. With `client_secret` or `client_assertion` among them, only grants of `metadata.grant_types_supported` are passed on (by default `authorization_code` and `refresh_token`): any caller could have others.',
    ),
    registration_parameters: parameters('registrations'),
    redirect_uris: list(text(findBlankMistake))
      .default([])
      .describe(
        'Redirect URIs that are permitted besides loopback addresses if `client_id` is among the added parameters: all clients then share that client id, and users are not asked for consent.',
      ),
    metadata: z
      .record(z.string(), z.unknown())
      .default({})
      .describe('Members of the authorization server metadata beside issuer and endpoints.'),
    ca_file: z.string().min(1).optional().describe('Certificate authorities (PEM) to trust beside the usual ones.'),
  })
  .meta({
    id: 'Rewrite',
    description:
      'Requests of the OAuth flow that are passed on to an identity provider with more parameters, as the Go proxy did. For its configurations; `identity_provider` serves more clients.',
  })

export type RewriteConfig = z.output<typeof rewrite>
