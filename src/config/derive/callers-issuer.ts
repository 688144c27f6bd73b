import type { IssuerConfig } from '../schema/issuer.ts'
import type { PartialConfig } from '../schema/partial-config.ts'
import type { Config } from '../schema/schema.ts'
import type { ServerConfig } from '../schema/server.ts'

/** Who issued the tokens that the callers of a server have, before the proxy issued its own. */
export type CallersIssuer =
  | { readonly kind: 'identity_provider' }
  | { readonly kind: 'issuer'; readonly issuer: PartialConfig<IssuerConfig> }
  /** There are several, or none. */
  | { readonly kind: 'unclear' }

/** Finds the one issuer of a server's callers. @param hasProvider - whether there is an `identity_provider` at the top */
export function findCallersIssuer(
  { issuers, hasProvider }: Pick<PartialConfig<Config>, 'issuers'> & { readonly hasProvider: boolean },
  server: PartialConfig<ServerConfig>,
): CallersIssuer {
  const [first, ...others] = server.issuers ?? issuers ?? []
  const hasBroker = hasProvider && server.issuers === undefined
  if (hasBroker && first === undefined) return { kind: 'identity_provider' }
  return hasBroker || first === undefined || others.length > 0 ? { kind: 'unclear' } : { kind: 'issuer', issuer: first }
}
