import type * as oauth from 'oauth4webapi'
import type { Clock } from '../../core/clock.ts'
import type { IdentityProviderPlan } from '../../core/plan/identity-provider-plan.ts'
import { guard } from './error.ts'
import type { RequestOptions } from './requests.ts'
import type { UserProtocol } from './user-protocol.ts'

/** What questions to an identity provider are asked with. */
export interface Session {
  readonly plan: IdentityProviderPlan
  readonly redirectUri: string
  readonly client: oauth.Client
  readonly authentication: oauth.ClientAuth
  readonly request: RequestOptions
  /** Of requests with refresh tokens. */
  readonly patientRequest: RequestOptions
  /** Aborted when no caller waits any more. */
  readonly signal?: AbortSignal
  readonly clock: Clock
  /** Refresh tokens that were sent and not answered yet, even if no caller waits any more. */
  readonly refreshing: Set<string>
  readonly protocol: UserProtocol
}

export function askForTokens(ask: () => Promise<Response>, read: (answer: Response) => Promise<oauth.TokenEndpointResponse>) {
  return guard(async () => {
    const response = await ask()
    return { response, tokens: await read(response) }
  }, 'the token endpoint')
}
