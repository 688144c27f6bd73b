import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ProxyError } from '../core/errors.ts'
import { parseTarget } from './target.ts'

describe('request targets', () => {
  it.each([
    ['/mcp', '/mcp', undefined],
    ['/mcp?', '/mcp', ''],
    ['/mcp?a=1&b=/x?y', '/mcp', 'a=1&b=/x?y'],
    ['http://host:1/mcp?a', '/mcp', 'a'],
    ['HTTP://HOST:1/mcp', '/mcp', undefined],
  ])('%s is %s with query %s', (target, path, query) => {
    expect(parseTarget(target, 'host:1')).toEqual({ path, query })
  })

  it.each([
    '',
    '*',
    'mcp',
    'http://evil/mcp',
    'http://host:1@evil/mcp',
    'http://host:1',
    '//evil.example/mcp#x',
    '/mcp#f',
    '/mcp\\x',
    '/a b',
    '/\u00e4',
    '/mcp\u0000',
    'ftp://host:1/mcp',
    'host:1',
  ])('%j is refused', (target) => {
    expect(() => parseTarget(target, 'host:1')).toThrow(ProxyError)
  })

  it('gives every path back as it was sent, so that only the configured spelling matches', () => {
    const piece = fc.constantFrom(
      'mcp',
      '..',
      '.',
      '%2e%2e',
      '%2f',
      ';a=b',
      '%00',
      'MCP',
      '',
      '%252e',
      'mcp.',
      '%c0%ae',
      '%0d%0a',
    )
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 5 }), (pieces) => {
        const path = `/${pieces.join('/')}`
        expect(parseTarget(path, 'host').path).toBe(path)
      }),
    )
  })
})
