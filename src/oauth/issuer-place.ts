import { isPublicAddress } from '../core/addresses.ts'
import { isPrivateHost, type ResolveHost } from './resolve-host.ts'

/** Whether the host of an issuer is in a private network, and what its documents name may be there, too. */
export interface IssuerPlace {
  /** Resolves names for what is reached of the issuer. */
  readonly resolveHost: ResolveHost
  /** A host that cannot be resolved in time is in none. */
  isPrivate(deadline: AbortSignal): Promise<boolean>
}

/**
 * The name servers of a hostile issuer could name a public address for its documents, and a private one when we ask whether it is in a private
 * network. So what once had a public address is in none, for as long as the process lives.
 *
 * @param issuer - issuer identifier; undefined where the URLs come from clients
 */
export function createIssuerPlace(issuer: string | undefined, resolveHost: ResolveHost): IssuerPlace {
  const host = issuer === undefined ? undefined : URL.parse(issuer)?.hostname
  let wasPublic = false
  const resolve: ResolveHost = (hostname, options, callback) =>
    resolveHost(hostname, options, (error, addresses) => {
      if (hostname === host && addresses?.some(({ address }) => isPublicAddress(address))) wasPublic = true
      callback(error, addresses)
    })
  return {
    resolveHost: resolve,
    isPrivate: async (deadline) => host !== undefined && !wasPublic && isPrivateHost(host, resolve, deadline),
  }
}
