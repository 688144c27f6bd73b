import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { findAddressLiteral, isLoopbackHost, isPublicAddress } from './addresses.ts'

describe('an address', () => {
  it.each([
    ['0.0.0.0'],
    ['0.1.2.3'],
    ['10.0.0.1'],
    ['100.64.0.1'],
    ['100.127.255.254'],
    ['127.0.0.1'],
    ['127.255.255.254'],
    ['169.254.169.254'],
    ['172.16.0.1'],
    ['172.31.255.255'],
    ['192.0.0.192'],
    ['192.88.99.1'],
    ['192.168.1.1'],
    ['198.18.0.1'],
    ['198.19.255.255'],
    ['224.0.0.1'],
    ['240.0.0.1'],
    ['255.255.255.255'],
    ['::'],
    ['::1'],
    ['::127.0.0.1'],
    ['::ffff:127.0.0.1'],
    ['::ffff:8.8.8.8'],
    ['::ffff:a9fe:a9fe'],
    ['64:ff9b::7f00:1'],
    ['64:ff9b::808:808'],
    ['64:ff9b:1::1'],
    ['100::1'],
    ['2001::1'],
    ['2001:0:4136:e378:8000:63bf:3fff:fdd2'],
    ['2001:db8::1'],
    ['2002:7f00:1::'],
    ['2002:808:808::1'],
    ['fc00::1'],
    ['fd00:ec2::254'],
    ['fe80::1'],
    ['fe80::1%eth0'],
    ['2600::1%eth0'],
    ['fec0::1'],
    ['ff02::1'],
  ])('is not public: %s', (address) => {
    expect(isPublicAddress(address)).toBe(false)
  })

  it.each([
    ['1.1.1.1'],
    ['8.8.8.8'],
    ['100.63.255.255'],
    ['100.128.0.1'],
    ['172.15.0.1'],
    ['172.32.0.1'],
    ['192.167.1.1'],
    ['2600::1'],
    ['2a00:1450:4001::1'],
  ])('is public: %s', (address) => {
    expect(isPublicAddress(address)).toBe(true)
  })

  it('is public only if it is an address', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.domain()), (text) => {
        if (findAddressLiteral(text) === undefined) expect(isPublicAddress(text)).toBe(false)
      }),
    )
  })
})

describe('a host', () => {
  it.each([['localhost'], ['LOCALHOST'], ['a.localhost'], ['127.0.0.1'], ['127.1.2.3'], ['[::1]']])(
    'is this machine: %s',
    (host) => {
      expect(isLoopbackHost(host)).toBe(true)
    },
  )

  it.each([['localhost.example.com'], ['notlocalhost'], ['10.0.0.1'], ['[::2]'], ['0.0.0.0'], ['']])('is another: %s', (host) => {
    expect(isLoopbackHost(host)).toBe(false)
  })
})
