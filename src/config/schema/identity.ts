import { z } from 'zod'
import { findBlankMistake } from '../format/formats.ts'
import { list, secret, text, whole } from './values.ts'

const claimSource = z
  .strictObject({
    claim: text(findBlankMistake).describe(
      'Claim of the caller, with dots into objects. `sub` is the name that assertions have; `groups` are those that rules see; `email` is told only where it is verified (`email_verified`).',
    ),
  })
  .meta({ id: 'ClaimSource', description: 'A claim of the caller.' })

/** How an MCP server is told who calls. */
export const identity = z
  .strictObject({
    assertion: z
      .boolean()
      .default(true)
      .describe('Whether each call carries a signed assertion (a JWT) of who calls. `false` where plain `headers` are enough.'),
    header: z
      .string()
      .default('Authorization')
      .describe('Header of the assertion. In `Authorization` it is a bearer token, which most frameworks can verify.'),
    audience: text(findBlankMistake)
      .optional()
      .describe('`aud` of the assertion. By default the URL of the MCP server, letter by letter as in `upstream`.'),
    seconds: whole(30, 3600)
      .default(300)
      .describe(
        'How long an assertion is good, in seconds; less where the token of the caller ends before. It is used for several calls, until a tenth of that is left.',
      ),
    claims: list(text(findBlankMistake))
      .default([])
      .describe(
        'Claims of the caller that the assertion has besides `sub`, `client_id`, `scope` and `act`, for example `email`, `name` and `groups`.',
      ),
    operation: z
      .boolean()
      .default(false)
      .describe(
        'Whether the assertion says what is called (`operations`). Then it is good for the same call of the same caller only.',
      ),
    key: secret
      .optional()
      .describe(
        'Private key that signs the assertions of this server: elliptic, on the curve P-256, as PEM or JWK. By default keys of the store, which change by themselves.',
      ),
    other_keys: list(secret)
      .default([])
      .describe('Keys that are only published: the one that will be `key` next, and the one that was.'),
    headers: z
      .record(z.string(), claimSource)
      .default({})
      .describe(
        'Headers with claims in plain text, which the MCP server cannot verify: only where nothing but the proxy can reach it.',
      ),
    env: z
      .record(z.string(), claimSource)
      .default({})
      .describe(
        'Environment variables with claims in plain text, for an MCP server that is a `command`. A process then serves callers of whom they say the same, and no others.',
      ),
  })
  .meta({ id: 'Identity', description: 'How the MCP server is told who calls.' })

export type IdentityConfig = z.output<typeof identity>
