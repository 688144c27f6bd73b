import { findAddressLiteral, isPublicAddress } from '../core/addresses.ts'
import type { EgressPlan } from '../core/plan/egress-plan.ts'
import type { EgressConnector } from '../egress/connector.ts'
import { createEgressProxyFinder } from '../egress/egress-proxy.ts'
import { isPrivateHost, type ResolveHost } from './resolve-host.ts'

/** Whether the host of an issuer is in a private network, and what its documents name may be there, too. */
export interface IssuerPlace {
  /** Resolves names for what is reached of the issuer. */
  readonly resolveHost: ResolveHost
  /** Notes where the issuer is reached by the connections that are opened. */
  watch(connect: EgressConnector): EgressConnector
  /** A host that cannot be resolved in time is in none. */
  isPrivate(deadline: AbortSignal): Promise<boolean>
}

/** An issuer, and the way to it. */
interface IssuerWay {
  /** Issuer identifier; undefined where the URLs come from clients. */
  readonly issuer: string | undefined
  readonly egress: EgressPlan
}

/**
 * The name servers of a hostile issuer could name a public address for its documents, and a private one when we ask whether it is in a private
 * network. So what was once reached while it had a public address is in none, for as long as the process lives. A name with a public address at
 * which nothing answers counts no more: resolvers of companies may name that while they start.
 *
 * An egress proxy reaches what it finds by the name, whatever we would find: a name that it resolves is in no private network.
 */
export function createIssuerPlace({ issuer, egress }: IssuerWay, resolveHost: ResolveHost): IssuerPlace {
  const url = issuer === undefined ? null : URL.parse(issuer)
  const host = url?.hostname
  const isResolvedByProxy =
    url !== null && findAddressLiteral(url.hostname) === undefined && createEgressProxyFinder(egress)(url) !== undefined
  let publicAnswers = 0
  let wasPublic = false
  const resolve: ResolveHost = (hostname, options, callback) =>
    resolveHost(hostname, options, (error, addresses) => {
      if (hostname === host && addresses?.some(({ address }) => isPublicAddress(address))) publicAnswers++
      callback(error, addresses)
    })
  return {
    resolveHost: resolve,
    watch: (connect) => (to, callback) => {
      const before = publicAnswers
      return connect(to, (...result) => {
        // Also an answer for another connection that was opened meanwhile.
        if (to.hostname === host && result[0] === null && publicAnswers > before) wasPublic = true
        callback(...result)
      })
    },
    isPrivate: async (deadline) =>
      host !== undefined && !isResolvedByProxy && !wasPublic && isPrivateHost(host, resolve, deadline),
  }
}
