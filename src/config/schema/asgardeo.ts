import { z } from 'zod'
import { findBlankMistake } from '../format/formats.ts'
import { findApplicationNameMistake, findWordMistake } from '../format/identity-provider-formats.ts'
import { secret, text, whole } from './values.ts'

/** How the proxy makes its own applications, instead of being given the credentials of one. */
export const asgardeoKeys = {
  admin: z
    .strictObject({
      client_id: text(findBlankMistake).describe('Client id of a machine-to-machine application.'),
      client_secret: secret.describe('Its client secret.'),
    })
    .optional()
    .describe(
      'For `asgardeo`, instead of `client_id` and `client_secret`: a machine-to-machine application through which the proxy makes its own application. It needs the scope `internal_application_mgt_create`; see recipes/asgardeo.md for optional scopes.',
    ),
  registration: z
    .enum(['application', 'per_client'])
    .optional()
    .describe(
      'With `admin`: `application` (the default), one application at Asgardeo for all MCP clients. `per_client`: one for each of them.',
    ),
  application_name: text(findApplicationNameMistake)
    .optional()
    .describe(
      'With `admin`: name of the application, or the prefix of all names. By default `open-mcp-auth-proxy_` and the host of `public_url`.',
    ),
  api_resource: text(findWordMistake)
    .optional()
    .describe(
      'With `admin`: identifier of an API resource (or MCP server) at Asgardeo that has all scopes of `servers`. Users then get the scopes that Asgardeo grants.',
    ),
  most_applications: whole(1, 10_000)
    .optional()
    .describe('With `registration: per_client`: maximum number of applications. By default 200.'),
}
