import { isDeepStrictEqual } from 'node:util'
import type { Broker } from '../broker/broker.ts'
import type { ServerPlan } from '../core/plan/server-plan.ts'
import { createDelegation, type Delegation } from '../delegation/delegation.ts'
import type { FindSubjectToken } from '../delegation/grants.ts'
import type { Foundation } from './foundation.ts'

/** The server of this name in the generation before. */
interface FormerServer {
  readonly plan: ServerPlan
  readonly broker: Broker | undefined
  readonly delegation: Delegation | undefined
}

/** What gets tokens for a server, with those it has where neither it nor the broker changed. */
export function findDelegation(
  { name, credential }: ServerPlan,
  { broker, foundation }: { readonly broker: Broker | undefined; readonly foundation: Foundation },
  before: FormerServer | undefined,
): Delegation | undefined {
  if (credential.kind !== 'delegated') return undefined
  const isSame = before?.broker === broker && isDeepStrictEqual(before?.plan.credential, credential)
  if (isSame && before?.delegation !== undefined) return before.delegation
  const { delegation: plan } = credential
  return createDelegation({
    plan,
    clock: foundation.clock,
    findSubject: createSubjectFinder(broker),
    onIssued: ({ principal: { issuer, subject, clientId } }, outcome) =>
      foundation.onEvent({
        kind: 'upstream_token_issued',
        outcome,
        server: name,
        detail: `${plan.kind} at ${plan.server.issuer}`,
        // A token of the proxy itself belongs to no caller.
        ...(plan.kind !== 'client_credentials' && { issuer, subject, clientId }),
      }),
  })
}

/** Users of the broker have a token of ours, which says nothing elsewhere: what their identity provider issued stands for them. */
function createSubjectFinder(broker: Broker | undefined): FindSubjectToken {
  return async (caller, type) => {
    if (broker === undefined || caller.principal.issuer !== broker.register.issuer) return caller.token
    const { findAccessToken, findIdToken } = broker.credentials
    return type === 'id_token' ? findIdToken(caller) : findAccessToken(caller)
  }
}
