import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createForwardedRules, findForwardedChain, formatForwarded } from './forwarded.ts'

const rules = createForwardedRules(['10.0.0.0/8', 'fd00::/8'], 'https://mcp.example.com')
const find = (fields: readonly (readonly [string, string])[], peer = '10.0.0.1') =>
  findForwardedChain(peer, fields.flat(), rules)[0]
const tell = (fields: readonly (readonly [string, string])[], peer = '10.0.0.1') => {
  const told = formatForwarded(findForwardedChain(peer, fields.flat(), rules), rules)
  return [told[1], told[7]]
}

describe('the address that a trusted proxy names', () => {
  it.each([
    ['an address', '203.0.113.7', '203.0.113.7'],
    ['an address and port (Azure Application Gateway)', '203.0.113.7:50123', '203.0.113.7'],
    ['an IPv6 address', '2001:DB8:0:0::7', '2001:db8::7'],
    ['an IPv6 address in brackets', '[2001:db8::7]', '2001:db8::7'],
    ['an IPv6 address and port', '[2001:db8::7]:443', '2001:db8::7'],
    ['a quoted address', '"203.0.113.7"', '203.0.113.7'],
    ['a quoted IPv6 address and port', '"[2001:db8::7]:443"', '2001:db8::7'],
    ['an IPv4 address within IPv6', '::ffff:203.0.113.7', '203.0.113.7'],
    ['the same in hexadecimal digits, and a port', '[::ffff:cb00:7107]:1', '203.0.113.7'],
    ['an address of a link', 'fe80::1%eth0', 'fe80::1'],
  ])('is %s', (_name, node, expected) => {
    expect(find([['X-Forwarded-For', node]])).toBe(expected)
    // Whatever the client wrote before it.
    expect(find([['X-Forwarded-For', `198.51.100.1, ${node}`]])).toBe(expected)
    const quoted = node.startsWith('"') ? node : `"${node}"`
    expect(find([['Forwarded', `for=${quoted}`]])).toBe(expected)
    expect(find([['forwarded', `for=198.51.100.1, proto=https;FOR=${quoted};by=10.0.0.9`]])).toBe(expected)
    if (!/[[\]":]/.test(node)) expect(find([['Forwarded', `for=${node}`]])).toBe(expected)
  })

  it('is the last that is none of a proxy of ours, over all fields of the name', () => {
    expect(
      find([
        ['X-Forwarded-For', '198.51.100.1, 203.0.113.7'],
        ['x-forwarded-for', '10.0.0.3:80, [fd00::2]:80'],
      ]),
    ).toBe('203.0.113.7')
    expect(find([['Forwarded', 'for=198.51.100.1, for=203.0.113.7, for="[fd00::2]:80";proto=http, for="10.0.0.3:_x"']])).toBe(
      '10.0.0.1',
    )
    expect(find([['Forwarded', 'for=198.51.100.1, for=203.0.113.7, for="[fd00::2]:_x";proto=http, for="10.0.0.3"']])).toBe(
      '203.0.113.7',
    )
  })

  it.each([
    ['unknown'],
    ['_hidden'],
    ['"_hidden:80"'],
    ['203.0.113.300'],
    ['010.1.1.1'],
    ['203.0.113.7:'],
    ['203.0.113.7:port'],
    ['203.0.113.7 198.51.100.1'],
    ['localhost'],
    ['-'],
    ['"203.0.113.7'],
    ['203.0.113.7"'],
    ['[203.0.113'],
    ['"\\203.0.113.7"'],
    ['2001:db8::7]:443'],
  ])('is the one of the proxy itself where that writes %s: what the client wrote before never counts', (node) => {
    expect(find([['X-Forwarded-For', `198.51.100.1, ${node}`]])).toBe('10.0.0.1')
    expect(find([['Forwarded', `for=198.51.100.1, for=${node}`]])).toBe('10.0.0.1')
    expect(find([['X-Forwarded-For', `198.51.100.1, ${node}, 10.0.0.2`]])).toBe('10.0.0.2')
  })

  it.each([
    ['a quotation that the client began', 'for="', 'for="[2001:db8::7]:443"', '2001:db8::7'],
    ['a quotation that the proxy would end', 'for=1.1.1.1;by="', 'for=203.0.113.7;by="x"', '203.0.113.7'],
    ['an element without an address', 'for=1.1.1.1', 'proto=https', '10.0.0.1'],
    ['an element with two', 'for=1.1.1.1', 'for=203.0.113.7;for=198.51.100.1', '10.0.0.1'],
    ['an element with a part that is no pair', 'for=1.1.1.1', 'for=203.0.113.7;x', '10.0.0.1'],
  ])('is read past %s', (_name, before, element, expected) => {
    expect(find([['Forwarded', `${before}, ${element}`]])).toBe(expected)
    expect(
      find([
        ['Forwarded', before],
        ['Forwarded', element],
      ]),
    ).toBe(expected)
  })

  it('is believed of both fields only where they agree: one of them may be the client’s', () => {
    const both = (older: string, standard: string) =>
      find([
        ['X-Forwarded-For', older],
        ['Forwarded', standard],
      ])
    expect(both('198.51.100.1, 203.0.113.7', 'for=203.0.113.7')).toBe('203.0.113.7')
    expect(both('198.51.100.1', 'for=203.0.113.7')).toBe('10.0.0.1')
    expect(both('198.51.100.1', 'for=unknown')).toBe('10.0.0.1')
    expect(both('unknown', 'for=198.51.100.1')).toBe('10.0.0.1')
  })

  it('does not count where the peer is not trusted, or names no client', () => {
    const forged = [
      ['X-Forwarded-For', '198.51.100.1'],
      ['Forwarded', 'for=198.51.100.1'],
    ] as const
    expect(find(forged, '203.0.113.9')).toBe('203.0.113.9')
    expect(find(forged, '::ffff:203.0.113.9')).toBe('203.0.113.9')
    expect(find(forged, '::ffff:10.0.0.1')).toBe('198.51.100.1')
    expect(find([])).toBe('10.0.0.1')
    expect(find([['X-Forwarded-For', ' , ']])).toBe('10.0.0.1')
    const untrusting = createForwardedRules([], 'https://mcp.example.com')
    expect(findForwardedChain('10.0.0.1', forged.flat(), untrusting)).toEqual(['10.0.0.1'])
  })

  it('is never one that the client chose, whatever it sends', () => {
    const written = fc.array(
      fc.oneof(fc.constantFrom('"', ',', ';', 'for=', 'for="', '\\', '1.1.1.1', '10.0.0.2', ' ', '[', ']'), fc.string()),
    )
    fc.assert(
      fc.property(written, fc.constantFrom('X-Forwarded-For', 'Forwarded'), (parts, name) => {
        const element = name === 'Forwarded' ? 'for=203.0.113.7;proto=https' : '203.0.113.7'
        expect(find([[name, `${parts.join('')}, ${element}`]])).toBe('203.0.113.7')
      }),
      { numRuns: 1000 },
    )
  })
})

describe('what upstreams are told', () => {
  it('is the chain that trusted proxies vouch for, in both fields', () => {
    const end = 'proto=https;host="mcp.example.com"'
    expect(tell([['X-Forwarded-For', '198.51.100.1, 203.0.113.7:80, 10.0.0.2']])).toEqual([
      '203.0.113.7, 10.0.0.2, 10.0.0.1',
      `for=203.0.113.7, for=10.0.0.2, for=10.0.0.1;${end}`,
    ])
    expect(tell([['Forwarded', 'for="[2001:db8::7]:1"']])).toEqual([
      '2001:db8::7, 10.0.0.1',
      `for="[2001:db8::7]", for=10.0.0.1;${end}`,
    ])
    for (const client of ['203.0.113.7', '203.0.113.8'])
      expect(tell([['X-Forwarded-For', client]])[0]).toBe(`${client}, 10.0.0.1`)
    expect(tell([['X-Forwarded-For', '198.51.100.1']], '203.0.113.9')).toEqual(['203.0.113.9', `for=203.0.113.9;${end}`])
  })
})
