import { errors } from 'oidc-provider'
import type { Clock } from '../../core/clock.ts'
import { ProxyError } from '../../core/errors.ts'
import type { BrokerPlan } from '../../core/plan/broker-plan.ts'
import type { ClientPlan } from '../../core/plan/client-plan.ts'
import type { TokenVerifier } from '../../core/ports.ts'
import type { Accounts } from '../accounts/accounts.ts'
import { type BrokerResource, narrowToClient, type Resources } from '../clients/resources.ts'
import { IdentityProviderError } from '../identity-provider/error.ts'
import { isSubjectIssuer } from '../identity-provider/subject.ts'
import { findOutage } from '../storage/outage.ts'
import type { IdentityAssertions } from './identity-assertions.ts'

/** What the grants without a user in front of a browser work with. */
export interface MachineOptions {
  readonly plan: BrokerPlan
  readonly resources: Resources
  readonly accounts: Accounts
  readonly assertions: IdentityAssertions
  /** Verifies access tokens that are shown for others, and asks whether our own still stand. */
  readonly subjectTokens: TokenVerifier
  readonly clock: Clock
}

/** A token request of an authenticated client. */
export interface MachineRequest {
  readonly client: ClientPlan
  readonly resource: BrokerResource
  /** Scopes as asked for; undefined when the request names none. */
  readonly scopes: readonly string[] | undefined
  readonly parameters: Readonly<Record<string, unknown>>
}

/** What a request comes to. */
export interface MachineToken {
  readonly subject: string
  readonly scopes: readonly string[]
  /** Claims beside those of every token. */
  readonly claims: Readonly<Record<string, unknown>>
  /** Seconds since the epoch at which it ends at the latest. */
  readonly endsAt?: number
  /** RFC 8693 §2.2.1. */
  readonly issuedTokenType?: string
}

/** The one resource that a token is for (RFC 8707 §2), as far as the client may have it. */
export function findTarget(asked: unknown, client: ClientPlan, resources: Resources): BrokerResource {
  if (asked !== undefined && typeof asked !== 'string') throw new errors.InvalidTarget('a token is for one resource')
  const found = asked === undefined ? resources.sole : resources.find(asked)
  if (found === undefined)
    throw new errors.InvalidTarget(
      asked === undefined ? 'resource is required: this server has more than one' : 'unknown resource',
    )
  const resource = narrowToClient(found, client)
  if (resource === undefined) throw new errors.InvalidTarget('the client is not allowed to get tokens for this resource')
  return resource
}

type Bound = readonly string[] | ReadonlySet<string> | undefined

/**
 * The scopes of a token: what was asked for, as far as all bounds allow (RFC 6749 §3.3).
 *
 * @param usual - what a request means that asks for nothing
 * @throws errors.InvalidScope when nothing is left: OAuth has no grant of nothing
 */
export function settleMachineScopes(request: MachineRequest, usual: readonly string[], ...bounds: readonly Bound[]): string[] {
  const { resource, scopes: asked } = request
  const sets = [resource.scopes, ...bounds].flatMap((bound) => (bound === undefined ? [] : [new Set(bound)]))
  const scopes = [...new Set(asked ?? usual)].filter((scope) => sets.every((bound) => bound.has(scope)))
  if (scopes.length === 0) throw new errors.InvalidScope('none of these scopes is available', (asked ?? usual).join(' '))
  return scopes
}

/** Subjects are unique within their issuer only: those of others than the identity provider carry its name. */
export function nameSubject(issuer: string, subject: string, { identityProvider }: BrokerPlan): string {
  return isSubjectIssuer(identityProvider, issuer) ? subject : `${issuer}|${subject}`
}

/**
 * Gives what was refused the error that the grant has for it.
 *
 * @param refuse - makes that error; the detail is for the log alone
 */
export async function explain<T>(work: () => T | Promise<T>, refuse: (detail: string) => Error): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof IdentityProviderError || (error instanceof ProxyError && error.code === 'issuer_unavailable'))
      throw explainOutage(error)
    if (findOutage(error)) throw error
    if (error instanceof ProxyError) throw refuse(`${error.code}: ${describeCause(error)}`)
    throw error
  }
}

function explainOutage(cause: Error): Error {
  const answer = new errors.TemporarilyUnavailable('the issuer cannot be reached right now', { cause })
  return Object.assign(answer, { status: 503, statusCode: 503, expose: true })
}

function describeCause({ cause }: ProxyError): string {
  return cause instanceof Error ? cause.message : String(cause ?? '')
}
