import { systemClock } from '../core/clock.ts'
import type { DelegationPlan } from '../core/plan/delegation-plan.ts'
import { endSentence } from '../core/sentence.ts'
import { createGrant } from '../delegation/grants.ts'
import { TokenRefusal } from '../delegation/token-refusal.ts'
import { explainFailure } from './failure.ts'
import type { Finding, Findings } from './finding.ts'
import { NO_CALLER } from './no-caller.ts'

/** What the authorization server says of our client or our request, whatever the token is (RFC 6749 §5.2, RFC 8707 §2). */
const MISTAKES: Readonly<Record<string, string>> = {
  invalid_client: 'Correct `credential.client_id` and its secret or key (or `client_authentication`).',
  unauthorized_client: 'Permit this grant for the client at the authorization server.',
  unsupported_grant_type: 'Switch this grant on at the authorization server, or choose another `credential.kind`.',
  invalid_scope: 'Correct `credential.scopes`.',
  invalid_target: 'Correct `credential.audience` and `credential.resource`.',
}

const NO_TOKEN = 'doctor-asks-for-nothing'

/** Asks for a token as a call would, with a caller's token that cannot exist: a client that may ask is told so of the token, not of itself. */
export async function checkCredential(plan: DelegationPlan, about: Findings): Promise<Finding[]> {
  const grant = createGrant(plan, async () => NO_TOKEN, systemClock)
  try {
    await grant.issue({ principal: NO_CALLER, token: NO_TOKEN })
    if (plan.kind === 'client_credentials') return [about.ok('credential', 'The authorization server issues a token for it.')]
    return [
      about.problem(
        'credential_accepts_all',
        `The authorization server ${plan.server.issuer} issues a token for a caller that does not exist.`,
        'Check what `credential.token_endpoint` leads to, and how the authorization server verifies what is exchanged.',
      ),
    ]
  } catch (error) {
    return [explainRefusal(error, plan, about)]
  } finally {
    await grant.close()
  }
}

function explainRefusal(error: unknown, { kind, server }: DelegationPlan, about: Findings): Finding {
  if (!(error instanceof TokenRefusal)) {
    const { reason, fix } = explainFailure(error)
    return about.problem('credential_fails', `No token can be fetched for it: ${reason}.`, fix)
  }
  const fix = Object.hasOwn(MISTAKES, error.error) ? MISTAKES[error.error] : undefined
  if (fix !== undefined || kind === 'client_credentials')
    return about.problem(
      'credential_refused',
      endSentence(`${server.issuer} refuses the client: ${error.message}`),
      fix ?? 'Correct `credential`.',
    )
  return about.ok('credential', `${server.issuer} knows the client (${kind}), and refuses a token that does not exist.`)
}
