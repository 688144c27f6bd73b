import { z } from 'zod'
import { findBlankMistake } from '../format/formats.ts'
import { list, scopes, text } from './values.ts'

const patterns = (what: string) => list(text(findBlankMistake)).min(1).optional().describe(what)

const expression = (what: string) =>
  text(findBlankMistake).describe(`${what} An expression in CEL: see [authorization](authorization.md#expressions).`)

const accessEntry = z
  .strictObject({
    groups: list(text(findBlankMistake)).min(1).optional().describe('The caller is in one of these groups.'),
    claim: text(findBlankMistake)
      .optional()
      .describe(
        'A claim of the caller, as in `identity_provider.allow`; dots reach into objects. It is one of the token, or with the broker what the identity provider says now. Needs `values`.',
      ),
    values: list(text(findBlankMistake))
      .min(1)
      .optional()
      .describe('Values of which the claim must have one, or hold one in its list.'),
    who: expression("What must be true of the caller, for example `principal.client_id == 'nightly'`.").optional(),
    everyone: z.literal(true).optional().describe('Every caller, instead of a condition.'),
    tools: patterns('Tools that may be called; `*` stands for any characters.'),
    prompts: patterns('Prompts that may be used and completed; `*` stands for any characters.'),
    resources: patterns(
      'Resource URIs that may be read, subscribed to and completed; `*` stands for any characters except `/`, `**` for any characters.',
    ),
    methods: list(z.string())
      .min(1)
      .optional()
      .describe(
        'Other methods (`logging/setLevel`), or families of methods (`tasks/*`). With `tools/call` every tool is open, with `completion/complete` the completions of all prompts and templates, hidden ones too.',
      ),
  })
  .meta({ id: 'AccessEntry', description: 'Who may use what. All conditions must hold.' })

export const access = z.array(accessEntry).min(1)

export const mode = z.enum(['enforce', 'shadow'])

export const rule = z
  .strictObject({
    method: z.string().optional().describe('A method (`tools/call`) or a family of methods (`tools/*`).'),
    tool: text(findBlankMistake).optional().describe('Calls of a tool; `*` stands for any characters.'),
    prompt: text(findBlankMistake).optional().describe('Uses of a prompt; `*` stands for any characters.'),
    resource: text(findBlankMistake)
      .optional()
      .describe(
        'Reads and subscriptions of a resource URI; `*` stands for any characters except `/`, `**` for any characters. Hosts that no pattern names are restricted, too: see [authorization](authorization.md#resources-by-host).',
      ),
    path: z.string().optional().describe('Every request to this path of the server.'),
    scopes: scopes()
      .optional()
      .describe(
        'Scopes that are needed, all of them, besides the base scopes. With `unlisted_operations: deny` an empty list permits.',
      ),
    require: expression("What must be true, for example `args.amount <= 100 || 'finance' in principal.groups`.").optional(),
    deny: z.literal(true).optional().describe('Never permit the operation, for any caller.'),
    reason: text(findBlankMistake).optional().describe('What a caller is told who is refused by `require` or `deny`.'),
    on_deny: z
      .enum(['refuse', 'hide'])
      .default('refuse')
      .describe('What a refused caller gets: 403, or (`hide`) what the MCP server answers for a name that does not exist.'),
    mode: mode.default('enforce').describe('`shadow`: decided and logged as `would_deny`, not enforced.'),
    audit_arguments: z
      .literal(true)
      .optional()
      .describe('The audit log keeps the arguments of matching calls as they came, beside their digest. They may be personal.'),
  })
  .meta({
    id: 'Rule',
    description:
      'Exactly one of `method`, `tool`, `prompt`, `resource` and `path`, and what is needed for it: `scopes`, `require` or `deny`; or what is kept of it: `audit_arguments`. All rules that match must hold.',
  })

export type AccessEntryConfig = z.output<typeof accessEntry>
export type RuleConfig = z.output<typeof rule>
