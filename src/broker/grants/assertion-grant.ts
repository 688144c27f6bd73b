import { errors } from 'oidc-provider'
import { pickClaims } from '../accounts/accounts.ts'
import { listUserScopes, mayUserSignIn } from '../identity-provider/access-rules.ts'
import type { IdentityAssertion } from './identity-assertions.ts'
import {
  explain,
  type MachineOptions,
  type MachineRequest,
  type MachineToken,
  nameSubject,
  settleMachineScopes,
} from './machine-request.ts'

/** Enterprise-managed authorization (RFC 7523 §2.1 with an ID-JAG): the user’s company has decided already. */
export async function answerIdentityAssertion(request: MachineRequest, options: MachineOptions): Promise<MachineToken> {
  const { assertion: text } = request.parameters
  const { assertions, plan } = options
  if (typeof text !== 'string') throw new errors.InvalidRequest('assertion is missing')
  const refuse = (detail: string) => new errors.InvalidGrant(detail)
  const assertion = await explain(() => assertions.verify(text, request.client.id), refuse)
  const scopes = settleUserScopes(request, assertion, options)
  // Last: what is refused for another reason has not been used.
  await explain(() => assertions.use(assertion), refuse)
  return {
    subject: nameSubject(assertion.issuer, assertion.subject, plan),
    scopes,
    claims: pickClaims(assertion.claims, plan.identityProvider.tokenClaims),
  }
}

function settleUserScopes(request: MachineRequest, assertion: IdentityAssertion, { plan, resources }: MachineOptions): string[] {
  const { resource } = request
  const isFor = assertion.resources.some((identifier) => resources.find(identifier)?.identifier === resource.identifier)
  if (!isFor) throw new errors.InvalidTarget('the assertion is for another resource')
  if (!mayUserSignIn(assertion.claims, plan.identityProvider))
    throw new errors.InvalidGrant('the user is not allowed to sign in here')
  const may = listUserScopes(assertion.claims, plan.identityProvider, resource.scopes)
  return settleMachineScopes(request, assertion.scopes ?? resource.defaultScopes, may, assertion.scopes)
}
