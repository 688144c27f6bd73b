import { errors, type Provider, type TokenEndpointGrantContext } from 'oidc-provider'
import type { Clock } from '../../core/clock.ts'
import { GRANT_TYPES, listMachineGrants, type MachineGrant } from '../clients/configured-clients.ts'
import { describeFormat } from '../clients/resources.ts'
import { answerIdentityAssertion } from './assertion-grant.ts'
import {
  findTarget,
  type MachineOptions,
  type MachineRequest,
  type MachineToken,
  settleMachineScopes,
} from './machine-request.ts'
import { exchangeToken } from './token-exchange.ts'

type Answer = (request: MachineRequest, options: MachineOptions) => MachineToken | Promise<MachineToken>

const GRANTS: Readonly<Record<MachineGrant, { readonly parameters: readonly string[]; readonly answer: Answer }>> = {
  client_credentials: { parameters: [], answer: answerClientCredentials },
  jwt_bearer: { parameters: ['assertion'], answer: answerIdentityAssertion },
  token_exchange: {
    parameters: ['subject_token', 'subject_token_type', 'actor_token', 'actor_token_type', 'requested_token_type', 'audience'],
    answer: exchangeToken,
  },
}

/** Parameters that may come twice, and are refused with an error of their own then (RFC 8707 §2). */
const TARGETS = ['resource', 'audience']

const claimsOfTokens = new WeakMap<object, Readonly<Record<string, unknown>>>()

/** The claims of a token that was made for a machine; undefined for any other token. */
export function findMachineClaims(token: object): Record<string, unknown> | undefined {
  const claims = claimsOfTokens.get(token)
  return claims && { ...claims }
}

/**
 * Teaches a provider the grants for machines that some client of the configuration has.
 *
 * @param kid - of the key that it signs with
 */
export function registerMachineGrants(provider: Provider, options: MachineOptions, kid: string): void {
  for (const grant of listMachineGrants(options.plan.clients)) {
    const { parameters, answer } = GRANTS[grant]
    const handle = async (ctx: TokenEndpointGrantContext) => {
      const request = readRequest(ctx, grant, options)
      const token = await answer(request, options)
      ctx.body = await issue(ctx, request, token, { seconds: options.plan.accessTokenSeconds, kid, clock: options.clock })
    }
    provider.registerGrantType(GRANT_TYPES[grant], handle, ['scope', 'resource', ...parameters], TARGETS)
  }
}

function readRequest({ oidc }: TokenEndpointGrantContext, grant: MachineGrant, options: MachineOptions): MachineRequest {
  const { plan, resources } = options
  const client = plan.clients.find(({ id }) => id === oidc.client.clientId)
  // The provider has asked its own list, which was made of the same plan. Without the user nothing else says who it is.
  const isAllowed = client?.grants.includes(grant) === true && oidc.client.clientAuthMethod !== 'none'
  if (client === undefined || !isAllowed) throw new errors.UnauthorizedClient('the client is not allowed to use this grant')
  const { scope, resource, audience } = oidc.params
  const scopes = (scope ?? '').split(' ').filter((one) => one !== '')
  return {
    client,
    resource: findTarget(resource ?? audience, client, resources),
    scopes: scopes.length > 0 ? scopes : undefined,
    parameters: oidc.params,
  }
}

/** RFC 6749 §4.4: the client for itself. */
function answerClientCredentials(request: MachineRequest): MachineToken {
  const { client, resource } = request
  // Scopes beyond the default ones must be configured: no user consents to them.
  const most = client.scopes ?? resource.defaultScopes
  return { subject: client.id, scopes: settleMachineScopes(request, resource.defaultScopes, most), claims: {} }
}

/** Makes the token and the answer. None of these grants gives a refresh token: the client comes again (RFC 6749 §4.4.3). */
async function issue(
  { oidc }: TokenEndpointGrantContext,
  { resource }: MachineRequest,
  { subject, scopes, claims, endsAt, issuedTokenType }: MachineToken,
  { seconds, kid, clock }: { readonly seconds: number; readonly kid: string; readonly clock: Clock },
): Promise<Record<string, unknown>> {
  const { provider, client } = oidc
  const left = endsAt === undefined ? seconds : Math.floor(endsAt - clock.wall() / 1000)
  if (left < 1) throw new errors.InvalidRequest('the subject token is about to expire')
  const expiresIn = Math.min(seconds, left)
  const token = new provider.AccessToken({
    client,
    accountId: subject,
    gty: String(oidc.params.grant_type),
    // No sign-in of a user is behind it.
    grantId: undefined as unknown as string,
    scope: scopes.join(' '),
    expiresIn,
  })
  const format = describeFormat(resource, scopes, expiresIn, kid)
  token.resourceServer = new provider.ResourceServer(resource.identifier, format)
  claimsOfTokens.set(token, claims)
  oidc.entity('AccessToken', token)
  return {
    access_token: await token.save(),
    ...(issuedTokenType !== undefined && { issued_token_type: issuedTokenType }),
    token_type: 'Bearer',
    expires_in: expiresIn,
    scope: scopes.join(' '),
  }
}
