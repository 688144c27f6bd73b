import type { LookupAddress } from 'node:dns'
import { Resolver } from 'node:dns/promises'

/** The second time takes twice as long: both together are over before a fetch is. */
const PATIENCE = { timeout: 1500, tries: 2 }

/**
 * Resolves names by the name servers of this machine alone. `dns.lookup` blocks one of four threads for as long as a name server takes.
 * Signatures are verified and files are read on those threads too, so a client that chooses a few names with slow name servers would hold up
 * all users.
 *
 * @param servers - for tests; those of the machine otherwise
 */
export function createNameServerResolver(servers?: readonly string[]) {
  return (hostname: string, _options: unknown, callback: (error: Error | null, addresses: LookupAddress[]) => void): void => {
    // A new resolver each time uses the current name servers.
    const resolver = new Resolver(PATIENCE)
    if (servers !== undefined) resolver.setServers(servers)
    const lists = [resolver.resolve4(hostname), resolver.resolve6(hostname)]
    void Promise.allSettled(lists).then((results) => {
      const addresses = results.flatMap((result, index) =>
        result.status === 'fulfilled' ? result.value.map((address) => ({ address, family: index === 0 ? 4 : 6 })) : [],
      )
      const failure = results.find((result) => result.status === 'rejected')
      callback(addresses.length === 0 ? (failure?.reason as Error) : null, addresses)
    })
  }
}
