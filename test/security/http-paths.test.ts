import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type Arena,
  checkArrived,
  checkAttack,
  checkServes,
  fillIn,
  formatCall,
  formatRequest,
  startArena,
} from '../support/attack.ts'
import { openRawConnection, sendRaw } from '../support/raw-client.ts'
import { findVectors } from '../support/vectors.ts'

let arena: Arena

beforeAll(async () => {
  arena = await startArena()
})
afterAll(() => arena.close())

const body = formatCall('echo', 1)

/** A call with a good token at any target. */
function at(target: string | Buffer): Buffer {
  const bytes = Buffer.from(formatRequest(arena, { target: '{target}', body }))
  const [before = '', after = ''] = bytes.toString().split('{target}')
  return Buffer.concat([Buffer.from(before), Buffer.from(target), Buffer.from(after)])
}

describe('a path is the configured one, letter by letter, or it is none (404)', () => {
  it.each([
    '/',
    '/mcp/',
    '/mcp//',
    '//mcp',
    '///mcp',
    '/./mcp',
    '/mcp/.',
    '/mcp/..',
    '/mcp/../mcp',
    '/public/../mcp',
    '/healthz/../mcp',
    '/%2e%2e/mcp',
    '/%2e/mcp',
    '/.%2e/mcp',
    '/%252e%252e/mcp',
    '/%2fmcp',
    '/x%2f..%2fmcp',
    '/%2Fmcp',
    '/mcp%2f',
    '/mcp%2F..',
    '/mcp;a=b',
    '/mcp;',
    '/;/mcp',
    '/mcp%3b',
    '/mcp%3Fa=b',
    '/mcp%23',
    '/mcp%00',
    '/mcp%00.html',
    '/mcp%20',
    '/mcp%09',
    '/mcp%0a',
    '/mcp%0d%0a',
    '/mcp%0d%0aX-Injected:%20yes',
    '/mcp.',
    '/mcp..',
    '/mcp.json',
    '/MCP',
    '/Mcp',
    '/mcP',
    '/%6dcp',
    '/m%63p',
    '/%6D%63%70',
    '/mcpx',
    '/mc',
    '/mcp/x',
    '/mcp/sse',
    '/mcp:80',
    '/mcp@evil.example',
    '/mcp&a=b',
    '/mcp=',
    '/mcp*',
    '/mcp~',
    '/mcp+',
    "/mcp'",
    '/mcp$',
    '/mcp!',
    '/mcp,',
    '/mcp(1)',
    '/mcp%c0%ae',
    '/%c0%ae%c0%ae/mcp',
    '/%e0%80%af/mcp',
    '/mcp%e2%80%8b',
    '/mcp%ef%bc%8f',
    '/mcp%',
    '/mcp%zz',
    '/mcp%u002f',
    '/__proto__',
    '/constructor',
    '/hasOwnProperty',
    '/toString',
    '//evil.example/mcp',
    '///evil.example/mcp',
    '//evil.example:80/mcp',
    '//localhost/mcp',
    '//localhost:{port}/mcp',
    '//127.0.0.1/mcp',
    '//user@localhost/mcp',
    '/.well-known/oauth-protected-resource/mcp/',
    '/.well-known/oauth-protected-resource/mcp/..',
    '/.well-known/oauth-protected-resource/../../mcp',
    '/.well-known/oauth-protected-resource/other',
    '/.well-known/oauth-protected-resource%2fmcp',
    '/.well-known/OAUTH-PROTECTED-RESOURCE',
    '/healthz/',
    '/healthz/mcp',
    '/healthz;/mcp',
    '/healthz%2f..%2fmcp',
    '/up',
    '/admin',
    '/metrics',
    '/debug',
    '/favicon.ico',
  ])('%s', async (path) => {
    await checkAttack(arena, at(fillIn(arena, path)), { status: 404, code: 'route_not_found' })
  })

  it.each(['/healthz', '/readyz', '/.well-known/oauth-protected-resource', '/.well-known/oauth-protected-resource/mcp'])(
    '%s takes no calls (405)',
    async (path) => {
      await checkAttack(arena, at(path), { status: 405, code: 'method_not_allowed' })
    },
  )
})

describe('a target that is no path is refused (400)', () => {
  it.each([
    '*',
    'mcp',
    '?/mcp',
    'localhost:{port}',
    '/mcp#',
    '/mcp#fragment',
    '/healthz#/mcp',
    '/mcp?a#b',
    '/mcp\\',
    '\\mcp',
    '/\\mcp',
    '\\\\evil.example\\mcp',
    '/..\\mcp',
    '/mcp?a=\\',
    '/mcp^',
    '/mcp|x',
    '/mcp"',
    '/mcp<script>',
    '/mcp{x}',
    '/mcp`id`',
    '/mcp[0]',
    '/mcp?a=<b>',
    '/mcp?a=`b`',
    'http://evil.example/mcp',
    'http://evil.example:{port}/mcp',
    'http://localhost/mcp',
    'http://localhost:{port}@evil.example/mcp',
    'http://evil.example@localhost:{port}/mcp',
    'http://user:pass@localhost:{port}/mcp',
    'http://localhost:{port}.evil.example/mcp',
    'http://localhost:{port}',
    'http://localhost:{port}#/mcp',
    'http://localhost:{port}?/mcp',
    'http://localhost:{port}\\mcp',
    'http:///mcp',
    'http://',
    'http:/mcp',
    'http:mcp',
    'https:localhost:{port}/mcp',
    'ftp://localhost:{port}/mcp',
    'file:///mcp',
    'unix:/mcp',
    'javascript:alert(1)',
    'ws://localhost:{port}/mcp',
  ])('%s', async (target) => {
    await checkAttack(arena, at(fillIn(arena, target)), { status: 400 })
  })

  it.each([
    ['letters in UTF-8', Buffer.from('/m\u00e7p')],
    ['a byte beyond ASCII', Buffer.from('/mcp\u00ff', 'latin1')],
    ['a NUL', Buffer.from('/mcp\u0000')],
    ['a tab', Buffer.from('/mcp\tx')],
    ['a carriage return', Buffer.from('/mcp\rx')],
    ['a DEL', Buffer.from('/mcp\u007f')],
    ['an overlong slash', Buffer.from([0x2f, 0xc0, 0xaf, 0x6d, 0x63, 0x70])],
    ['a full-width slash', Buffer.from('\uff0fmcp')],
  ])('%s', async (_name, target) => {
    await checkAttack(arena, at(target), { status: 400 })
  })
})

describe('a query goes on as it came, and never chooses anything here', () => {
  it.each([
    '?',
    '?a=1',
    '?a=1&a=2',
    '?path=/healthz',
    '?/../../healthz',
    '?__proto__[x]=1&constructor=2',
    '?%00%0d%0a',
    '?a=b%20c+d&e=%C3%A4',
    '?skip_auth=true&X-Forwarded-Uri=/healthz',
    '?a=//evil.example/',
    '?x=[1]{2}|3^4',
    '??',
  ])('%s', async (query) => {
    await checkAttack(arena, at(`/mcp${query}`), { status: 200, upstream: { body, url: query === '?' ? '/up' : `/up${query}` } })
  })

  it('the absolute form of our own URL is our own path', async () => {
    await checkAttack(arena, at(fillIn(arena, 'http://localhost:{port}/mcp?a=1')), {
      status: 200,
      upstream: { body, url: '/up?a=1' },
    })
  })
})

describe('what the configuration asks the upstream cannot be asked otherwise by a query', () => {
  let own: Arena
  beforeAll(async () => {
    own = await startArena({ server: (origin) => ({ upstream: `${origin}/up?tenant=a&read_only=1&tokens=1` }) })
  })
  afterAll(() => own.close())

  it.each([
    ['', ''],
    ['x=1', '&x=1'],
    ['tenant=b', ''],
    ['x=1&tenant=b&y=2', '&x=1&y=2'],
    ['Tenant=b', ''],
    ['TENANT=b&x=1', '&x=1'],
    ['%74enant=b', ''],
    ['%u0074enant=b', ''],
    ['te%U006eant=b', ''],
    ['%c1%b4enant=b', ''],
    ['read%u005fonly=0', ''],
    ['tenant%00=b', ''],
    ['%00tenant=b', ''],
    ['%00%00tenant=b', ''],
    ['%00%20tenant=b', ''],
    ['te%00nant=b', ''],
    ['%5B%00tenant=b', ''],
    ['tenant', ''],
    ['tenant[]=b', ''],
    ['tenant[x]=b', ''],
    ['tenant%5B%5D=b', ''],
    ['+tenant=b', ''],
    ['%20tenant%20=b', ''],
    ['x=1;tenant=b', ''],
    ['tenant=b;x=1', ''],
    ['read_only=0', ''],
    ['read.only=0', ''],
    ['read+only=0', ''],
    ['read_only%5B0%5D=0', ''],
    ['read%E2%80%93only=0', ''],
    [']tenant=b', ''],
    ['tenant]=b', ''],
    ['tokens=b', ''],
    ['to%E2%84%AAen%C5%BF=b', ''],
    ['%ff=1', '&%ff=1'],
    ['%u00e9=1', '&%u00e9=1'],
    ['tenants=b', '&tenants=b'],
  ])('?%s', async (query, arrived) => {
    const since = own.upstream.requests.length
    const connection = await openRawConnection(own.proxy.port)
    connection.write(formatRequest(own, { target: `/mcp?${query}`, body }))
    expect((await connection.readResponse()).status).toBe(200)
    connection.destroy()
    await checkArrived(own, since, [{ body, url: `/up?tenant=a&read_only=1&tokens=1${arrived}` }])
  })
})

describe('Host', () => {
  const without = ['Authorization: Bearer {token}', 'Content-Type: application/json', `Content-Length: ${body.length}`]
  const withHosts = (...hosts: string[]) =>
    Buffer.from(formatRequest(arena, { lines: [...hosts.map((host) => `Host: ${host}`), ...without], body }), 'latin1')

  it.each([
    ['two, ours first', ['localhost:{port}', 'evil.example']],
    ['two, ours last', ['evil.example', 'localhost:{port}']],
    ['two that are the same', ['localhost:{port}', 'localhost:{port}']],
    ['two in a list', ['localhost:{port}, evil.example']],
    ['with a path', ['localhost:{port}/mcp']],
    ['with a query', ['localhost:{port}?a']],
    ['with a fragment', ['localhost:{port}#a']],
    ['with userinfo', ['evil@localhost:{port}']],
    ['with a space', ['localhost:{port} evil']],
    ['with a scheme', ['http://localhost:{port}']],
    ['with a backslash', ['localhost:{port}\\evil']],
    ['with a comma', ['localhost:{port},']],
    ['with a semicolon', ['localhost:{port};']],
    ['with quotes', ['"localhost:{port}"']],
    ['with a percent sign', ['localhost%00:{port}']],
    ['with letters beyond ASCII', ['localh\u00f6st:{port}']],
    ['with an empty port', ['localhost:']],
    ['with two ports', ['localhost:{port}:80']],
    ['with a port of letters', ['localhost:http']],
    ['with a zone', ['[::1%25lo]:{port}']],
    ['with half a bracket', ['[::1:{port}']],
    ['empty', ['']],
  ] as [string, string[]][])('%s (400)', async (_name, hosts) => {
    await checkAttack(arena, withHosts(...hosts), { status: 400, code: 'request_malformed' })
  })

  it.each(['localhost:{port}/mcp', 'evil@localhost:{port}', 'localhost:{port}, evil.example'])(
    '%s is none (400) when it was just said, either',
    async (host) => {
      for (let i = 0; i < 3; i++) {
        const answer = await sendRaw(arena.proxy.port, withHosts(host))
        expect(answer.status).toBe(400)
      }
    },
  )

  it.each([
    'evil.example',
    'evil.example:{port}',
    'localhost',
    'localhost:1',
    'localhost.:{port}',
    'localhost.evil.example:{port}',
    'evil-localhost:{port}',
    '127.0.0.2:{port}',
    '127.1:{port}',
    '2130706433:{port}',
    '0x7f000001:{port}',
    '0.0.0.0:{port}',
    '[::]:{port}',
    '[::ffff:127.0.0.1]:{port}',
    'localtest.me:{port}',
    '127.0.0.1.nip.io:{port}',
    '127.0.0.1:1',
  ])('%s is another host (403): DNS rebinding', async (host) => {
    for (const path of ['/mcp', '/.well-known/oauth-protected-resource']) {
      const bytes = withHosts(host).toString('latin1').replace('/mcp', path)
      await checkAttack(arena, bytes, { status: 403, code: 'host_denied' })
    }
  })

  it.each(['LOCALHOST:{port}', '127.0.0.1:{port}', '[::1]:{port}'])('%s is this machine', async (host) => {
    await checkAttack(arena, withHosts(host), { status: 200, upstream: { body } })
  })

  it('is never repeated in metadata or challenges', async () => {
    const open = await startArena({ config: { allowed_hosts: ['*'] } })
    for (const path of ['/mcp', '/.well-known/oauth-protected-resource']) {
      const bytes = `GET ${path} HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: evil.example\r\n\r\n`
      const answer = await checkAttack(open, bytes, path === '/mcp' ? { status: 401, code: 'token_missing' } : { status: 200 })
      expect(JSON.stringify(answer?.headers) + answer?.body.toString()).not.toContain('evil')
    }
    await open.close()
  })
})

describe('any other spelling', () => {
  const pieces = fc.constantFrom(
    ...[
      '/',
      '/mcp',
      'mcp',
      '.',
      '..',
      '/..',
      '/.',
      '%2e',
      '%2f',
      '%2F',
      '%5c',
      ';',
      ';a=b',
      '%00',
      '%',
      '%25',
      '?',
      '?a=b',
      '&',
      '=',
    ],
    ...['MCP', 'm', 'c', 'p', '%6d', ':', '@', '//', 'healthz', '/healthz', '\\', '#', '%0d%0a', '%c0%af', '+', '~', '*', 'x'],
  )
  const mutated = fc
    .tuple(fc.nat(4), fc.nat(3), pieces)
    .map(([at, cut, piece]) => `${'/mcp'.slice(0, at)}${piece}${'/mcp'.slice(at + cut)}`)
  const targets = fc.oneof(
    fc.array(pieces, { minLength: 1, maxLength: 6 }).map((parts) => parts.join('')),
    mutated,
    fc.string({ unit: fc.constantFrom(...'/mcpMCP.%2feE5;?#\\:@&=~*+ '), minLength: 1, maxLength: 12 }),
  )

  it('nothing but the configured path reaches the upstream, and that always does', async () => {
    await fc.assert(
      fc.asyncProperty(targets, async (target) => {
        const isOurs = /^\/mcp(\?[A-Za-z0-9\-._~!$&'()*+,;=:@%/?]*)?$/.test(target)
        const since = arena.upstream.requests.length
        const connection = await openRawConnection(arena.proxy.port)
        connection.write(at(target))
        const answer = await connection.readResponse()
        connection.destroy()
        if (isOurs) expect([200, 400]).toContain(answer.status)
        else expect([400, 404, 405]).toContain(answer.status)
        const query = target.slice(4).replace(/^\?$/, '')
        await checkArrived(arena, since, answer.status === 200 ? [{ body, url: `/up${query}` }] : [])
      }),
      { numRuns: 500, examples: [['/mcp'], ['/mcp?'], ['/mcp?a=/../x']] },
    )
    await checkServes(arena)
  })
})

const redirects = findVectors('open-redirect.txt')
describe.skipIf(redirects === undefined)('the public list of open redirects', () => {
  it('reaches nothing and leads nowhere', async () => {
    const lines = readFileSync(redirects!, 'utf8')
      .split(/\r?\n/)
      .filter((line) => line !== '')
    expect(lines.length).toBeGreaterThan(500)
    const since = arena.upstream.requests.length
    for (const line of lines) {
      const connection = await openRawConnection(arena.proxy.port)
      connection.write(at(line.startsWith('/') ? line : `/${line}`))
      const answer = await connection.readResponse()
      expect([400, 404], line).toContain(answer.status)
      expect(answer.header('location')).toBeUndefined()
      connection.destroy()
    }
    await checkArrived(arena, since, [await checkServes(arena)])
  })
})

const naughty = findVectors('blns.json')
describe.skipIf(naughty === undefined)('the big list of naughty strings', () => {
  const strings = () => JSON.parse(readFileSync(naughty!, 'utf8')) as string[]

  it.each([
    ['a path as it is', (text: string) => `/${text}`],
    ['a path percent-encoded', (text: string) => `/${encodeURIComponent(text)}`],
    ['a segment behind the path', (text: string) => `/mcp/${encodeURIComponent(text)}`],
  ])('as %s reaches nothing', async (_name, target) => {
    const since = arena.upstream.requests.length
    for (const text of strings()) {
      const connection = await openRawConnection(arena.proxy.port)
      connection.write(at(target(Buffer.from(text).toString())))
      const answer = await connection.readResponse()
      expect([400, 404], text).toContain(answer.status)
      connection.destroy()
    }
    await checkArrived(arena, since, [await checkServes(arena)])
  })

  it('as a query goes on byte for byte', async () => {
    const since = arena.upstream.requests.length
    const sent: string[] = []
    for (const text of strings().filter((text) => !/token/i.test(text))) {
      const query = `x=${encodeURIComponent(Buffer.from(text).toString())}`
      const connection = await openRawConnection(arena.proxy.port)
      connection.write(at(`/mcp?${query}`))
      expect((await connection.readResponse()).status, text).toBe(200)
      connection.destroy()
      sent.push(`/up?${query}`)
    }
    expect(arena.upstream.requests.slice(since).map(({ url }) => url)).toEqual(sent)
  })
})
