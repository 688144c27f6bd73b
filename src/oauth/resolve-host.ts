import type { LookupAddress } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { findAddressLiteral, isPublicAddress } from '../core/addresses.ts'
import { describeError } from '../core/describe-cause.ts'
import type { FindAddresses } from '../egress/connector.ts'
import { EgressError } from '../egress/egress-error.ts'

/** How names become addresses: `dns.lookup`, or something like it. */
export type ResolveHost = (
  hostname: string,
  options: { readonly all: true },
  callback: (error: Error | null, addresses: LookupAddress[]) => void,
) => void

/** The hook through which a socket learns its addresses. */
export function createLookup(resolveHost: ResolveHost, publicOnly: boolean): LookupFunction {
  return (hostname, options, callback) => {
    resolveHost(hostname, { ...options, all: true }, (error, addresses) => {
      const first = addresses?.[0]
      if (error || first === undefined) return callback(error ?? new Error(`${hostname} has no address`), [])
      const mistake = publicOnly ? findPrivateAddress(hostname, addresses) : undefined
      if (mistake) return callback(mistake, [])
      if (options.all) callback(null, addresses)
      else callback(null, first.address, first.family)
    })
  }
}

/** One address that is not public refuses them all: which is dialled is chance. */
function findPrivateAddress(hostname: string, addresses: readonly LookupAddress[]): Error | undefined {
  if (addresses.every(({ address }) => isPublicAddress(address))) return undefined
  return new Error(`${hostname} resolves to an address that is not public`)
}

/** The same for what is reached through an egress proxy: public addresses only. */
export function createPublicAddressFinder(resolveHost: ResolveHost): FindAddresses {
  return (hostname) =>
    new Promise((resolve, reject) => {
      if (findAddressLiteral(hostname) !== undefined) {
        const mistake = findPrivateAddress(hostname, [{ address: hostname, family: 0 }])
        return mistake === undefined ? resolve([hostname]) : reject(mistake)
      }
      resolveHost(hostname, { all: true }, (error, addresses) => {
        if (error || addresses.length === 0) return reject(explainUnresolved(hostname, error))
        const mistake = findPrivateAddress(hostname, addresses)
        if (mistake === undefined) resolve(addresses.map(({ address }) => address))
        else reject(mistake)
      })
    })
}

/** In some networks only the egress proxy can resolve names. */
function explainUnresolved(hostname: string, error: Error | null): EgressError {
  const why = error === null ? 'no address' : describeError(error)
  return new EgressError(
    'EGRESS_NAME_REFUSED',
    `${hostname} cannot be resolved here (${why}), and the egress proxy is not asked to: the configuration does not name the host. List it in egress_proxy.resolves to permit that`,
  )
}

/** Whether all of a host's addresses are private ones. A host that cannot be resolved in time is not. */
export function isPrivateHost(hostname: string, resolveHost: ResolveHost, deadline: AbortSignal): Promise<boolean> {
  const literal = findAddressLiteral(hostname)
  if (literal !== undefined) return Promise.resolve(!isPublicAddress(literal))
  return new Promise((resolve) => {
    deadline.addEventListener('abort', () => resolve(false), { once: true })
    resolveHost(hostname, { all: true }, (error, addresses) => {
      resolve(error === null && addresses.length > 0 && addresses.every(({ address }) => !isPublicAddress(address)))
    })
  })
}
