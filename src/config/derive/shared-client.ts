import type { RewriteConfig } from '../schema/rewrite.ts'

type Added = Pick<RewriteConfig, 'authorization_endpoint' | 'authorization_parameters' | 'token_parameters'>

/** Whether requests that are passed on name one client id, whatever the client says. */
export function hasSharedClient({ authorization_endpoint, authorization_parameters, token_parameters }: Added): boolean {
  const isInUrl = URL.parse(authorization_endpoint)?.searchParams.has('client_id') ?? false
  return isInUrl || [authorization_parameters, token_parameters].some((parameters) => Object.hasOwn(parameters, 'client_id'))
}

/** Whether each token request that is passed on gets the credentials of a client, from any caller. */
export function addsCredentials({ token_parameters: added }: Pick<RewriteConfig, 'token_parameters'>): boolean {
  return Object.hasOwn(added, 'client_secret') || Object.hasOwn(added, 'client_assertion')
}
