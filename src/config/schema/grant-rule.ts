import { z } from 'zod'
import { findBlankMistake } from '../format/formats.ts'
import { list, scopes, text } from './values.ts'

/** What a claim must hold. */
export const condition = {
  claim: text(findBlankMistake).describe(
    'Claim of the user, as the identity provider calls it; dots reach into objects. `email` counts only where it is verified (`email_verified`), and `email_domain` stands for its domain.',
  ),
  values: list(text(findBlankMistake)).min(1).describe('Values of which the claim must have one, or hold one in its list.'),
}

export const grantRule = z
  .strictObject({
    claim: condition.claim.optional(),
    values: condition.values.optional(),
    scopes: scopes().min(1).describe('The scopes.'),
  })
  .meta({ id: 'GrantRule', description: 'Scopes for callers with a claim, or for all where `claim` is left out.' })
