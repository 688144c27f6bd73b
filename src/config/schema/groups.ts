import { z } from 'zod'
import { findBlankMistake } from '../format/formats.ts'
import { text } from './values.ts'

/** Where the groups of users are, for whatever names users. */
export const groupsKeys = {
  groups_claim: text(findBlankMistake)
    .optional()
    .describe(
      'The one claim that holds groups, for `groups` of access entries and `principal.groups`; dots reach into objects (`realm_access.roles`). By default what the product has: `cognito:groups` at Amazon Cognito, `organizations` at GitHub, none at Auth0 and Google, else `groups`.',
    ),
  groups_separator: z
    .string()
    .min(1)
    .optional()
    .describe('What stands between groups where the claim is one text. Without it one text is one group.'),
}
