import { BlockList, isIP } from 'node:net'

/** Addresses and networks. */
export interface AddressList {
  /** @param address - IPv4 addresses that IPv6 writes are written as IPv4; what is no address is in no list */
  has(address: string): boolean
}

/** @param entries - addresses or CIDR blocks, each checked with {@link isNetwork} or by the configuration */
export function createAddressList(entries: readonly string[]): AddressList {
  const list = new BlockList()
  for (const entry of entries) {
    const [address = '', prefix] = entry.split('/')
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    if (prefix === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(prefix), family)
  }
  return {
    has(address) {
      const family = isIP(address)
      return family !== 0 && list.check(address, family === 6 ? 'ipv6' : 'ipv4')
    },
  }
}

/** Whether a text is an address or a CIDR block. */
export function isNetwork(text: string): boolean {
  const [address = '', prefix, ...rest] = text.split('/')
  const family = isIP(address)
  const bits = family === 4 ? 32 : 128
  const isPrefix = prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= bits)
  return family !== 0 && isPrefix && rest.length === 0 && !address.includes('%')
}
