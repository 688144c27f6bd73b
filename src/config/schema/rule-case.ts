import { isIP } from 'node:net'
import { z } from 'zod'
import { findBlankMistake, findScopeMistake, type MistakeFinder } from '../format/formats.ts'
import { list, text } from './values.ts'

const findRevisionMistake: MistakeFinder = (value) =>
  /^\d{4}-\d{2}-\d{2}$/.test(value)
    ? undefined
    : { reason: 'is no revision of MCP', fix: 'Write a date in quotes, for example "2025-11-25".' }

const findAddressMistake: MistakeFinder = (value) =>
  isIP(value) > 0 ? undefined : { reason: 'is no IP address', fix: 'Write one, for example 192.0.2.1.' }

const findTimeMistake: MistakeFinder = (value) =>
  /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/.test(value) && !Number.isNaN(Date.parse(value))
    ? undefined
    : { reason: 'is no time', fix: 'Write date, time and zone: 2026-01-05T09:00:00+01:00, or 2026-01-05T08:00:00Z.' }

const principal = z
  .strictObject({
    subject: text(findBlankMistake).optional().describe('Instead of the claim `sub`.'),
    client_id: text(findBlankMistake).optional().describe('Instead of the claim `client_id`.'),
    issuer: text(findBlankMistake)
      .optional()
      .describe(
        'Instead of the claim `iss`; not needed where a server has one issuer. `urn:open-mcp-auth-proxy:keys` is that of access keys, whose name is `client_id`.',
      ),
    scopes: list(text(findScopeMistake)).optional().describe('Instead of what the claims say.'),
    groups: list(text(findBlankMistake)).optional().describe('Instead of what the claims say.'),
    claims: z.record(z.string(), z.unknown()).optional().describe('Claims of the token.'),
  })
  .describe('Who asks.')

const request = z.strictObject({
  revision: text(findRevisionMistake).optional().describe('Revision of MCP, by default 2025-11-25.'),
  address: text(findAddressMistake).optional().describe('Address of the client, by default 127.0.0.1.'),
  path: text(findBlankMistake).optional().describe('Path of the request, by default that of the server.'),
  now: text(findTimeMistake).optional().describe('Time of the request, by default the present.'),
})

const ruleCase = z.strictObject({
  name: text(findBlankMistake).optional().describe('What the case shows, for people.'),
  principal,
  server: text(findBlankMistake).optional().describe('Name of the server, where there are several.'),
  tool: z.string().optional().describe('A call of this tool.'),
  prompt: z.string().optional().describe('Use of this prompt.'),
  resource: z.string().optional().describe('Reading this resource.'),
  method: text(findBlankMistake).optional().describe('A request with this method.'),
  list: z.enum(['tools', 'prompts', 'resources', 'resource_templates']).optional().describe('A list, instead of an operation.'),
  args: z.unknown().optional().describe('Arguments, as a block of keys or as JSON text; for `method`, its parameters.'),
  request: request.optional().describe('What else expressions see.'),
  expect: z.enum(['permit', 'deny', 'challenge', 'hide']).optional().describe('What the operation comes to.'),
  scopes: list(text(findScopeMistake)).optional().describe('All scopes of the challenge.'),
  would_deny: z
    .union([z.boolean(), list(z.string())])
    .optional()
    .describe('Whether what is in shadow mode would refuse it, or exactly which of it: `access`, `rules[2]`.'),
  of: list(z.string()).optional().describe('What the MCP server lists.'),
  shows: list(z.string()).optional().describe('What of it the caller sees.'),
})

/** A file with cases for `rules test`. */
export const ruleCasesSchema = z.strictObject({ cases: z.array(ruleCase).min(1).describe('The cases.') })

export type RuleCaseConfig = z.output<typeof ruleCase>
export type RuleCasesConfig = z.output<typeof ruleCasesSchema>
