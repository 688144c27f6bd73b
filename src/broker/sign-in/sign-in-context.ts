import { errors, type Interaction, type Provider } from 'oidc-provider'
import type { BrandPlan } from '../../core/brand.ts'
import type { EncryptedCollection } from '../../core/encrypted-collection.ts'
import type { EndpointRequest } from '../../core/endpoint-request.ts'
import type { IdentityProviderPlan } from '../../core/plan/identity-provider-plan.ts'
import type { OnEvent } from '../../core/security-event.ts'
import type { Accounts } from '../accounts/accounts.ts'
import type { BrokerResource, Resources } from '../clients/resources.ts'
import type { IdentityProvider } from '../identity-provider/identity-provider.ts'
import type { PendingSignIn } from '../identity-provider/signed-in-user.ts'
import type { RateLimit } from '../limits/rate-limit.ts'
import type { BrowserCookie } from '../pages/browser-cookie.ts'
import type { Asking } from '../pages/consent-page.ts'
import type { AccountConnecting } from './away-account.ts'
import type { Consents } from './consents.ts'

/** A sign-in that waits for its user to come back from the identity provider. */
export interface AwayUser extends PendingSignIn {
  /** The interaction that goes on then. */
  readonly uid: string
  /** The secret of the browser that it began in. */
  readonly browser: string
}

/** What sign-ins work with. */
export interface SignInOptions {
  readonly origin: string
  readonly plan: IdentityProviderPlan
  readonly brand: BrandPlan
  readonly scopeDescriptions: Readonly<Record<string, string>>
  readonly identityProvider: IdentityProvider
  readonly accounts: Accounts
  readonly consents: Consents
  readonly resources: Resources
  readonly browserCookie: BrowserCookie
  readonly away: EncryptedCollection<AwayUser>
  readonly authorizations: RateLimit
  /** Undefined where no MCP server has accounts of users. */
  readonly connecting: AccountConnecting | undefined
  /**
   * Takes the response for a user who came to a page of ours, without a client.
   *
   * @returns false where that is not what the user was sent away for
   */
  readonly finishVisit: (incoming: EndpointRequest, answer: URLSearchParams) => Promise<boolean>
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly report: OnEvent
  /** The provider of the moment: another one takes over when the keys change. */
  readonly findProvider: () => Provider
}

/** One look at a sign-in: what was asked, and by whom. */
export interface SignInContext {
  readonly incoming: EndpointRequest
  readonly interaction: Interaction
  readonly asking: Asking
  readonly clientId: string
  readonly resource: BrokerResource
  /** The resource as the client wrote it. */
  readonly resourceAsAsked: string
  readonly scopes: readonly string[]
}

/** The sign-in that this browser's cookie stands for; undefined when there is none. */
export async function openSignInContext(incoming: EndpointRequest, options: SignInOptions): Promise<SignInContext | undefined> {
  try {
    const interaction = await options.findProvider().interactionDetails(incoming.request, incoming.response)
    return await describeSignInContext(incoming, interaction, options)
  } catch (error) {
    if (error instanceof errors.SessionNotFound) return undefined
    throw error
  }
}

/** Reads what an interaction is about; undefined when its client or server is no longer there. */
export async function describeSignInContext(
  incoming: EndpointRequest,
  interaction: Interaction,
  options: SignInOptions,
): Promise<SignInContext | undefined> {
  const { client_id: clientId, redirect_uri: redirectUri, resource: resourceAsAsked, scope } = interaction.params
  const client = await options.findProvider().Client.find(String(clientId))
  const resource = options.resources.find(String(resourceAsAsked))
  if (client === undefined || resource === undefined) return undefined
  const scopes = typeof scope === 'string' ? scope.split(' ') : []
  incoming.noteParties({ subject: interaction.session?.accountId, clientId: client.clientId, scopes })
  const isPublished = client.clientId.startsWith('https://')
  return {
    incoming,
    interaction,
    resource,
    resourceAsAsked: String(resourceAsAsked),
    clientId: client.clientId,
    scopes,
    asking: {
      clientName: client.clientName ?? client.clientId,
      redirectUri: String(redirectUri),
      publishedBy: isPublished ? new URL(client.clientId).host : undefined,
    },
  }
}
