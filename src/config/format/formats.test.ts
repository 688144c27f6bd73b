import { describe, expect, it } from 'vitest'
import {
  findBlankMistake,
  findEndpointPathMistake,
  findHeaderNameMistake,
  findHostMistake,
  findHttpMethodMistake,
  findIssuerMistake,
  findKeyUrlMistake,
  findListenHostMistake,
  findMessagesPathMistake,
  findNameMistake,
  findNetworkMistake,
  findOriginMistake,
  findPublicUrlMistake,
  findScopeMistake,
  findUpstreamUrlMistake,
  isLoopback,
  type MistakeFinder,
} from './formats.ts'

const cases: readonly [find: MistakeFinder, good: readonly string[], bad: readonly string[]][] = [
  [
    findPublicUrlMistake,
    [
      'https://mcp.example.com',
      'https://mcp.example.com/',
      'http://localhost:8080',
      'https://[::1]:8443',
      'HTTPS://MCP.example.com',
    ],
    [
      'mcp.example.com',
      'https://mcp.example.com/mcp',
      'https://mcp.example.com?x=1',
      'https://mcp.example.com/?',
      'https://mcp.example.com#',
      'https://user@mcp.example.com',
      'ftp://mcp.example.com',
      'https:/mcp.example.com',
      'https:\\\\mcp.example.com',
      'https://mcp.example.com\n',
      ' https://mcp.example.com',
      'https://',
      'https://010.0.0.1',
      'https://0x7f.0.0.1:8443',
      'https://8.8.8.08/',
      'https://⑧.8.8.8',
      '',
    ],
  ],
  [
    findUpstreamUrlMistake,
    ['http://127.0.0.1:8000/mcp', 'http://0.0.0.0/', 'http://127.0.0.1./mcp', 'http://010.example.com/mcp', 'http://[::1]:8000/'],
    [
      'http://127.1/mcp',
      'http://2130706433/',
      'http://192.168/mcp',
      './run/mcp.sock',
      'http://010.0.0.1:8000/mcp',
      'http://10.0.0.01/mcp',
      'HTTP://0X7F.1/mcp',
      'http://0x7f000001/',
    ],
  ],
  [
    findIssuerMistake,
    [
      'https://idp.example.com',
      'https://idp.example.com/t/acme/',
      'http://localhost:9000',
      'http://127.0.0.2',
      'http://[::1]:80/x',
    ],
    [
      'http://idp.example.com',
      'http://10.0.0.1',
      'https://idp.example.com?x',
      'https://idp.example.com#x',
      'https://a:b@idp.example.com',
      'https://idp.example.com/a b',
    ],
  ],
  [
    findKeyUrlMistake,
    [
      'https://idp.example.com/jwks?x=1',
      'http://localhost/jwks',
      'http://keycloak:8080/certs',
      'http://10.1.2.3/jwks',
      'http://idp.internal/jwks',
    ],
    ['http://idp.example.com/jwks', 'http://8.8.8.8/jwks', 'file:///etc/passwd', 'https://a@idp.example.com/jwks'],
  ],
  [
    findEndpointPathMistake,
    ['/mcp', '/a/b-c_d.e~f', '/files/@me', '/...'],
    [
      '',
      '/',
      'mcp',
      '/mcp/',
      '//mcp',
      '/a//b',
      '/a/../b',
      '/..',
      '/a/.',
      '/mcp?x',
      '/mcp#x',
      '/m%63p',
      '/a%2fb',
      '/a\\b',
      '/a b',
      '/é',
      '/healthz',
      '/healthz/x',
      '/readyz',
      '/.well-known/oauth-protected-resource',
      '/.well-known',
    ],
  ],
  [findMessagesPathMistake, ['/messages', '/messages/'], ['/', 'messages', '/messages//', '/messages/?x']],
  [findScopeMistake, ['mcp:read', 'https://x/y', '!#[]~'], ['', 'a b', 'a"b', 'a\\b', 'é', 'a\tb']],
  [
    findHostMistake,
    ['*', 'mcp.example.com', 'mcp.example.com:8443', 'localhost', '[::1]:80', '10.0.0.1', 'Host_Name'],
    ['', 'https://mcp.example.com', 'mcp.example.com/', 'a:b', 'host:99999', '[::1', '[zz]', 'a b', '*.example.com', '-a'],
  ],
  [
    findListenHostMistake,
    ['127.0.0.1', '::', '::1', '0.0.0.0', 'localhost', 'host-1.lan'],
    ['', '[::1]', '127.0.0.1:80', 'http://x', 'a b'],
  ],
  [
    findNetworkMistake,
    ['10.0.0.0/8', '::1', 'fd00::/8', '10.0.0.1'],
    ['', '10.0.0.0/33', '10.0.0.0/', '10.0.0/8', '::/129', 'a', '1.2.3.4/8/8', 'fe80::1%eth0'],
  ],
  [
    findOriginMistake,
    ['*', 'https://app.example.com', 'http://localhost:5173', 'vscode-webview://abc', 'chrome-extension://id'],
    [
      '',
      'null',
      'app.example.com',
      'https://app.example.com/',
      'https://app.example.com/x',
      'https://a@b',
      'https://*.example.com:x',
    ],
  ],
  [findHeaderNameMistake, ['X-Api-Key', 'accept'], ['', '*', 'a b', 'a:b', 'é', 'a\n']],
  [findHttpMethodMistake, ['GET', 'PATCH'], ['get', '*', '']],
  [findNameMistake, ['files', 'a.b-c_1'], ['', 'a b', 'a/b']],
  [findBlankMistake, ['x'], ['', ' ', '\t\n']],
]

describe.each(cases.map(([find, good, bad]) => [find.name, find, good, bad] as const))('%s', (_name, find, good, bad) => {
  it.each(good.map((text) => [text]))('finds nothing wrong with %j', (text) => {
    expect(find(text)).toBeUndefined()
  })

  it.each(bad.map((text) => [text]))('says what is wrong with %j and what to do', (text) => {
    expect(find(text)).toEqual({ reason: expect.stringMatching(/\S/), fix: expect.stringMatching(/\S/) })
  })
})

describe('loopback', () => {
  it.each(['localhost', 'LOCALHOST', 'a.localhost', '127.0.0.1', '127.255.0.3', '::1', '[::1]'])('is %s', (host) => {
    expect(isLoopback(host)).toBe(true)
  })

  it.each(['0.0.0.0', '::', '10.0.0.1', 'example.com', 'localhost.example.com', '128.0.0.1', '127.0.0.1.nip.io'])(
    'is not %s',
    (host) => {
      expect(isLoopback(host)).toBe(false)
    },
  )
})
