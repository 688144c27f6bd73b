import { errors } from 'oidc-provider'
import type { Claims } from '../../core/claim-condition.ts'
import type { Principal } from '../../core/principal.ts'
import { pickClaims } from '../accounts/accounts.ts'
import { listUserScopes, mayUserSignIn } from '../identity-provider/access-rules.ts'
import { findGrantBehind, SUBJECT_GRANT_CLAIM } from '../tokens/revocation.ts'
import {
  explain,
  findTarget,
  type MachineOptions,
  type MachineRequest,
  type MachineToken,
  nameSubject,
  settleMachineScopes,
} from './machine-request.ts'

const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'
/** `jwt` says the same of what is shown, since ours are (RFC 8693 §3). */
const SUBJECT_TYPES: readonly unknown[] = [ACCESS_TOKEN, 'urn:ietf:params:oauth:token-type:jwt']
/** Longest chain of those who act for each other. */
const MAX_ACTORS = 5

/** RFC 8693 §2.2.2: a token that is no good makes the request invalid. */
const refuse = (detail: string): Error => new errors.InvalidRequest('the subject token cannot be accepted', 400, detail)

/** Exchanges an access token for one that is good for one resource, and never for more than the first was. */
export async function exchangeToken(request: MachineRequest, options: MachineOptions): Promise<MachineToken> {
  const { client, resource } = request
  checkParameters(request, options)
  const principal = await explain(() => options.subjectTokens.verify(String(request.parameters.subject_token)), refuse)
  checkMayAct(principal.claims, client.id)
  const isOwn = principal.issuer === options.plan.issuer
  const claims = isOwn ? await findOwnClaims(principal, options) : principal.claims
  if (claims !== undefined && !mayUserSignIn(claims, options.plan.identityProvider))
    throw refuse('the user is not allowed to sign in here')
  const grantId = isOwn ? findGrantBehind(principal.claims) : undefined
  const may = claims && listUserScopes(claims, options.plan.identityProvider, resource.scopes)
  return {
    subject: isOwn ? readSubject(principal) : nameSubject(principal.issuer, readSubject(principal), options.plan),
    scopes: settleMachineScopes(request, [...principal.scopes], may, principal.scopes),
    claims: {
      ...pickClaims(claims ?? principal.claims, options.plan.identityProvider.tokenClaims),
      ...(grantId !== undefined && { [SUBJECT_GRANT_CLAIM]: grantId }),
      act: describeActor(client.id, principal.claims.act),
    },
    endsAt: principal.expiresAt,
    issuedTokenType: ACCESS_TOKEN,
  }
}

function checkParameters({ parameters, client, resource }: MachineRequest, { resources }: MachineOptions): void {
  const { subject_token: token, subject_token_type: type, requested_token_type: wanted, audience } = parameters
  if (typeof token !== 'string') throw new errors.InvalidRequest('subject_token is missing')
  if (!SUBJECT_TYPES.includes(type)) throw new errors.InvalidRequest('subject_token_type must be an access token type')
  if (parameters.actor_token !== undefined || parameters.actor_token_type !== undefined)
    throw new errors.InvalidRequest('actor_token is not supported: the client itself is the actor')
  if (wanted !== undefined && wanted !== ACCESS_TOKEN)
    throw new errors.InvalidRequest('requested_token_type must be the access token type')
  if (audience !== undefined && findTarget(audience, client, resources).identifier !== resource.identifier)
    throw new errors.InvalidTarget('audience and resource differ')
}

function readSubject({ subject }: Principal): string {
  if (subject === undefined) throw refuse('sub is missing')
  return subject
}

/** RFC 8693 §4.4: a token may say who alone may act with it. */
function checkMayAct({ may_act: may }: Claims, clientId: string): void {
  if (may === undefined) return
  const { sub, client_id: named } = (typeof may === 'object' && may !== null ? may : {}) as Record<string, unknown>
  if (sub !== clientId && named !== clientId) throw refuse('may_act names another client')
}

/** What the user of a token of ours is now; undefined for one that no sign-in is behind, whose own claims are all there is. */
async function findOwnClaims({ subject, claims }: Principal, { accounts }: MachineOptions): Promise<Claims | undefined> {
  if (findGrantBehind(claims) === undefined) return undefined
  // Like a refresh: it goes on for as long as the user’s session with the identity provider does.
  const user = await explain(() => (subject === undefined ? undefined : accounts.findCurrent(subject)), refuse)
  if (user === undefined) throw refuse('the sign-in behind the token has ended')
  return user.claims
}

/** Who acts, and for whom that one acted (RFC 8693 §4.1). */
function describeActor(clientId: string, before: unknown): object {
  let depth = 1
  for (let one = before; typeof one === 'object' && one !== null; one = (one as { act?: unknown }).act) depth += 1
  if (depth > MAX_ACTORS) throw refuse('act: the delegation chain is too long')
  return { sub: clientId, ...(before !== undefined && { act: before }) }
}
