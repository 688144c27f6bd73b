import type { LookupAddress } from 'node:dns'
import { readFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { afterEach, describe, expect, it } from 'vitest'
import { createCertificate } from '../../test/support/certificate.ts'
import { describeError } from '../../test/support/refusal.ts'
import { findVectors } from '../../test/support/vectors.ts'
import { listenToFetches } from '../core/outbound-fetch.ts'
import { DIRECT } from '../core/plan/egress-plan.ts'
import { closeServer, listenOnLoopback } from '../sandbox/listen.ts'
import type { ResolveHost } from './resolve-host.ts'
import { createSafeFetch, type OutboundRequest, type SafeFetch, type SafeFetchPlan } from './safe-fetch.ts'

const open: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of open.splice(0)) await close()
})

function openOutboundFetch(plan: Partial<SafeFetchPlan> & Pick<SafeFetchPlan, 'issuer'>, resolveHost?: ResolveHost): SafeFetch {
  const outboundFetch = createSafeFetch({ allowPrivateNetwork: false, ca: undefined, egress: DIRECT, ...plan }, resolveHost)
  open.push(() => outboundFetch.close())
  return outboundFetch
}

/** Starts a server that answers as told; returns its URL. */
async function serve(listener: RequestListener, tls?: { cert: string; key: string }): Promise<string> {
  const server = tls ? createTlsServer(tls, listener) : createServer(listener)
  const port = await listenOnLoopback(server, 0)
  open.push(() => closeServer(server))
  return `${tls ? 'https' : 'http'}://127.0.0.1:${port}/`
}

const sendJson: RequestListener = (_request, response) => {
  response.writeHead(200, { 'content-type': 'application/json' }).end('{"a":1}')
}

it.each([
  [{}, (url: string) => `${url}keys/1`],
  [{ hidesPaths: true }, (url: string) => url],
])('traces are told of a URL without its query, and with %j without its path', async (plan, told) => {
  const url = await serve(sendJson)
  const urls: (string | undefined)[] = []
  const stop = listenToFetches(({ target }) => urls.push(target?.url))
  await openOutboundFetch({ issuer: url, ...plan }).fetchJson(`${url}keys/1?token=x`, { namedBy: 'operator' })
  stop()
  expect(urls).toEqual([told(url)])
})

/** Fetches as an operator would, from the issuer itself. */
function fetchFrom(url: string, request: Partial<OutboundRequest> = {}) {
  return openOutboundFetch({ issuer: url }).fetchJson(url, { namedBy: 'operator', ...request })
}

async function reasonOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    (value) => `answered ${JSON.stringify(value)}`,
    (error: unknown) => describeError(error),
  )
}

/** Resolves every name to these addresses, and remembers which names were asked for. */
function resolveTo(...addresses: string[]): ResolveHost & { names: string[] } {
  const names: string[] = []
  const resolve: ResolveHost = (hostname, _options, callback) => {
    names.push(hostname)
    callback(
      null,
      addresses.map((address): LookupAddress => ({ address, family: address.includes(':') ? 6 : 4 })),
    )
  }
  return Object.assign(resolve, { names })
}

describe('an answer', () => {
  it('is a JSON object, with what the sender says about keeping it', async () => {
    const url = await serve((request, response) => {
      const headers = { 'content-type': 'Application/JWK-Set+JSON; charset=utf-8', 'cache-control': 'max-age=60' }
      response
        .writeHead(200, headers)
        .end(JSON.stringify({ accept: request.headers.accept, encoding: request.headers['accept-encoding'] }))
    })
    expect(await fetchFrom(url)).toEqual({
      document: { accept: 'application/json', encoding: 'identity' },
      cacheControl: 'max-age=60',
    })
  })

  it('may be to a form', async () => {
    const url = await serve((request, response) => {
      request.setEncoding('utf8').once('data', (form) => {
        response.writeHead(200, { 'content-type': 'application/json' })
        response.end(
          JSON.stringify({
            form,
            type: request.headers['content-type'],
            method: request.method,
            extra: request.headers.authorization,
          }),
        )
      })
    })
    const form = new URLSearchParams({ token: 'a b&c' })
    const { document } = await fetchFrom(url, { form, headers: { authorization: 'Basic eA==' } })
    expect(document).toEqual({
      form: 'token=a+b%26c',
      type: 'application/x-www-form-urlencoded',
      method: 'POST',
      extra: 'Basic eA==',
    })
  })

  const json = { 'content-type': 'application/json' }
  it.each<[string, string, number, Record<string, string>, string | Buffer]>([
    ['of status 404', 'status 404', 404, json, '{}'],
    ['of status 500', 'status 500', 500, json, '{}'],
    ['of status 204', 'status 204', 204, json, ''],
    ['of status 304, which was not asked for', 'status 304', 304, json, ''],
    ['in HTML', 'Content-Type', 200, { 'content-type': 'text/html' }, '{}'],
    ['without a type', 'Content-Type', 200, {}, '{}'],
    ['of a type that only begins like JSON', 'Content-Type', 200, { 'content-type': 'application/jsonp' }, '{}'],
    ['that is empty', 'not JSON', 200, json, ''],
    ['cut short', 'not JSON', 200, json, '{"keys":['],
    ['with something behind it', 'not JSON', 200, json, '{}{}'],
    ['with a repeated key', 'not JSON', 200, json, '{"a":1,"a":2}'],
    ['with a byte order mark', 'not JSON', 200, json, '\ufeff{}'],
    ['not in UTF-8', 'not JSON', 200, json, Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
    ['nested too deeply', 'not JSON', 200, json, `{"a":${'['.repeat(40)}${']'.repeat(40)}}`],
    ['that is an array', 'not a JSON object', 200, json, '[]'],
    ['that is null', 'not a JSON object', 200, json, 'null'],
    ['compressed with gzip', 'compressed', 200, { ...json, 'content-encoding': 'gzip' }, gzipSync('{}')],
    ['that is a gzip bomb', 'compressed', 200, { ...json, 'content-encoding': 'gzip' }, gzipSync(Buffer.alloc(10_000_000, 0x20))],
    ['compressed with brotli', 'compressed', 200, { ...json, 'content-encoding': 'br' }, brotliCompressSync('{}')],
    ['of more than 512 KiB', '512 KiB', 200, json, `{"a":"${'x'.repeat(512 * 1024)}"}`],
  ])('is refused %s', async (_, reason, status, headers, body) => {
    const url = await serve((_request, response) => response.writeHead(status, headers).end(body))
    expect(await reasonOf(fetchFrom(url))).toContain(reason)
  })

  it('is not read any further once it is too large', async () => {
    const chunk = Buffer.alloc(64 * 1024, 0x20)
    let sent = 0
    let isGone = () => {}
    const gone = new Promise<void>((resolve) => {
      isGone = resolve
    })
    const url = await serve((_request, response) => {
      response.writeHead(200, json).on('close', isGone)
      const more = () => {
        while (sent < 20_000_000 && response.write(chunk)) sent += chunk.length
      }
      response.on('drain', more)
      more()
    })
    expect(await reasonOf(fetchFrom(url))).toContain('512 KiB')
    await gone
    expect(sent).toBeLessThan(20_000_000)
  })

  it.each([
    ['to plain HTTP elsewhere', 'http://evil.example/keys', 'evil.example'],
    ['to the same host', '/other', '127.0.0.1'],
    ['to this machine', 'http://169.254.169.254/latest', '169.254.169.254'],
    ['to nowhere', 'http://[', 'nowhere'],
  ])('is not followed %s', async (_, location, host) => {
    const asked: (string | undefined)[] = []
    const url = await serve((request, response) => {
      asked.push(request.url)
      response.writeHead(302, { location }).end()
    })
    expect(await reasonOf(fetchFrom(url))).toMatch(`redirects to ${host}`)
    expect(asked).toEqual(['/'])
  })

  it.each<[string, RequestListener]>([
    ['never begins', () => {}],
    ['stops behind the headers', (_request, response) => void response.writeHead(200, json).write('{')],
    [
      'comes a byte at a time',
      (_request, response) => {
        response.writeHead(200, json).write('{')
        const timer = setInterval(() => response.write(' '), 200)
        response.once('close', () => clearInterval(timer))
      },
    ],
  ])('is given up after 5 s when it %s', { concurrent: true }, async (_, listener) => {
    const server = createServer(listener)
    const url = `http://127.0.0.1:${await listenOnLoopback(server, 0)}/`
    const outboundFetch = createSafeFetch({ issuer: url, allowPrivateNetwork: false, ca: undefined, egress: DIRECT })
    expect(await reasonOf(outboundFetch.fetchJson(url, { namedBy: 'operator' }))).toContain('no complete answer within 5 s')
    await outboundFetch.close()
    await closeServer(server)
  })

  it('is given up when the caller wants it no more', async () => {
    const url = await serve(() => {})
    expect(await reasonOf(fetchFrom(url, { signal: AbortSignal.abort(new Error('never mind')) }))).toContain('never mind')
  })
})

describe('a URL', () => {
  const outboundFetch = () => openOutboundFetch({ issuer: 'https://idp.example.com' }, resolveTo('127.0.0.1'))

  it.each([
    ['file:///etc/passwd', 'file:'],
    ['data:application/json,{}', 'data:'],
    ['ftp://idp.example.com/', 'ftp:'],
    ['gopher://idp.example.com/', 'gopher:'],
    ['//idp.example.com/', 'absolute'],
    ['keys', 'absolute'],
    ['', 'absolute'],
    ['https://user:pass@idp.example.com/', 'user information'],
    ['https://user@idp.example.com/', 'user information'],
  ])('is not fetched, whether metadata or the operator names it: %s', async (url, reason) => {
    for (const namedBy of ['operator', 'metadata'] as const)
      expect(await reasonOf(outboundFetch().fetchJson(url, { namedBy }))).toContain(reason)
  })

  it('of plain HTTP is fetched when the operator names it', async () => {
    const url = await serve(sendJson)
    const resolve = resolveTo('127.0.0.1')
    const answer = openOutboundFetch({ issuer: 'https://idp.example.com' }, resolve).fetchJson(
      url.replace('127.0.0.1', 'keycloak'),
      {
        namedBy: 'operator',
      },
    )
    expect((await answer).document).toEqual({ a: 1 })
    expect(resolve.names).toEqual(['keycloak'])
  })

  it('of plain HTTP is not fetched when metadata of an issuer with TLS names it', async () => {
    const reason = await reasonOf(outboundFetch().fetchJson('http://idp.example.com/keys', { namedBy: 'metadata' }))
    expect(reason).toContain('https is needed')
  })

  it('of plain HTTP is fetched when it is of the issuer, which is itself plain HTTP', async () => {
    const url = (await serve(sendJson)).replace('127.0.0.1', 'keycloak')
    const answer = openOutboundFetch({ issuer: url }, resolveTo('127.0.0.1')).fetchJson(`${url}keys`, { namedBy: 'metadata' })
    expect((await answer).document).toEqual({ a: 1 })
  })
})

describe('a URL that metadata names', () => {
  const publicIssuer = 'https://idp.example.com'
  /** The issuer's own host is public, everything else is where the test says. */
  const resolveElsewhere = (...addresses: string[]) => {
    const elsewhere = resolveTo(...addresses)
    const issuer = resolveTo('93.184.216.34')
    const resolve: ResolveHost = (hostname, ...rest) => (hostname === 'idp.example.com' ? issuer : elsewhere)(hostname, ...rest)
    return Object.assign(resolve, { names: elsewhere.names })
  }

  it.each([
    ['https://127.0.0.1/'],
    ['https://2130706433/'],
    ['https://0x7f.1/'],
    ['https://0177.0.0.1/'],
    ['https://127.1/'],
    ['https://0/'],
    ['https://0.0.0.0/'],
    ['https://10.0.0.1/'],
    ['https://169.254.169.254/latest/meta-data/'],
    ['https://100.100.100.200/'],
    ['https://[::1]/'],
    ['https://[::]/'],
    ['https://[::ffff:127.0.0.1]/'],
    ['https://[::ffff:169.254.169.254]/'],
    ['https://[64:ff9b::7f00:1]/'],
    ['https://[2002:7f00:1::]/'],
    ['https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/'],
    ['https://[fd00:ec2::254]/'],
    ['https://①②⑦.⓪.⓪.①/'],
    ['https://0x08080808/'],
  ])('is not fetched from an address that is not public: %s', async (url) => {
    const resolve = resolveElsewhere('127.0.0.1')
    const reason = await reasonOf(openOutboundFetch({ issuer: publicIssuer }, resolve).fetchJson(url, { namedBy: 'metadata' }))
    expect(reason).toMatch(/not a public address|unusual notation/)
    expect(resolve.names).toEqual([])
  })

  it.each([
    [['127.0.0.1']],
    [['::1']],
    [['169.254.169.254']],
    [['::ffff:127.0.0.1']],
    [['64:ff9b::7f00:1']],
    [['0.0.0.0']],
    [['93.184.216.34', '10.0.0.1']],
    [['10.0.0.1', '93.184.216.34']],
  ])('is not fetched from a name of such addresses: %j', async (addresses) => {
    const outboundFetch = openOutboundFetch({ issuer: publicIssuer }, resolveElsewhere(...addresses))
    const reason = await reasonOf(outboundFetch.fetchJson('https://keys.example.net/', { namedBy: 'metadata' }))
    expect(reason).toContain('keys.example.net resolves to an address that is not public')
  })

  it('goes to the address that was checked, though the name has another one by now', async () => {
    const url = await serve(sendJson)
    let asked = 0
    const resolve: ResolveHost = (_hostname, _options, callback) => {
      asked++
      callback(null, [{ address: asked === 1 ? '127.0.0.1' : '169.254.169.254', family: 4 }])
    }
    const outboundFetch = openOutboundFetch({ issuer: publicIssuer, allowPrivateNetwork: true }, resolve)
    const answer = await outboundFetch.fetchJson(url.replace('127.0.0.1', 'localhost'), { namedBy: 'metadata' })
    expect(answer.document).toEqual({ a: 1 })
    expect(asked).toBe(1)
  })

  it('is fetched from a private address when the configuration allows it', async () => {
    const url = await serve(sendJson)
    const outboundFetch = openOutboundFetch({ issuer: publicIssuer, allowPrivateNetwork: true }, resolveElsewhere('127.0.0.1'))
    expect((await outboundFetch.fetchJson(url, { namedBy: 'metadata' })).document).toEqual({ a: 1 })
  })

  it('is fetched from a private address when it is on the host of the issuer', async () => {
    const tls = createCertificate()
    const url = (await serve(sendJson, tls)).replace('127.0.0.1', 'localhost')
    const outboundFetch = openOutboundFetch({ issuer: 'https://localhost/tenant', ca: tls.cert }, resolveTo('127.0.0.1'))
    expect((await outboundFetch.fetchJson(url, { namedBy: 'metadata' })).document).toEqual({ a: 1 })
  })

  it('is fetched from a private address when the issuer lives on one', async () => {
    const url = await serve(sendJson)
    const resolve: ResolveHost = (hostname, ...rest) =>
      resolveTo(hostname === 'idp.internal' ? '10.1.2.3' : '127.0.0.1')(hostname, ...rest)
    const outboundFetch = openOutboundFetch({ issuer: 'https://idp.internal' }, resolve)
    expect((await outboundFetch.fetchJson(url, { namedBy: 'metadata' })).document).toEqual({ a: 1 })
  })

  it('is fetched from there also after something of the issuer was reached at a public address of another name', async () => {
    const url = await serve(sendJson)
    const resolve: ResolveHost = (hostname, ...rest) =>
      (hostname === 'idp.internal' ? resolveTo('10.1.2.3') : resolveTo('127.0.0.1', '93.184.216.34'))(hostname, ...rest)
    const outboundFetch = openOutboundFetch({ issuer: 'https://idp.internal' }, resolve)
    for (const namedBy of ['operator', 'metadata'] as const)
      expect((await outboundFetch.fetchJson(url.replace('127.0.0.1', 'localhost'), { namedBy })).document).toEqual({ a: 1 })
  })

  it('is not fetched from a private address when the issuer lives on both kinds', async () => {
    const resolve: ResolveHost = (hostname, ...rest) =>
      (hostname === 'idp.example' ? resolveTo('10.1.2.3', '93.184.216.34') : resolveTo('127.0.0.1'))(hostname, ...rest)
    const outboundFetch = openOutboundFetch({ issuer: 'https://idp.example' }, resolve)
    expect(await reasonOf(outboundFetch.fetchJson('https://keys.example/', { namedBy: 'metadata' }))).toContain('not public')
  })

  it('is not fetched from a private address for an unnamed caller, even if a resolver invents addresses for names that do not exist', async () => {
    const resolve = resolveTo('127.0.0.1')
    const outboundFetch = openOutboundFetch({ issuer: undefined }, resolve)
    const reason = await reasonOf(outboundFetch.fetchJson('https://client.example/', { namedBy: 'metadata' }))
    expect(reason).toContain('client.example resolves to an address that is not public')
    expect(resolve.names).toEqual(['client.example'])
    expect(await reasonOf(outboundFetch.fetchJson('http://client.example/', { namedBy: 'metadata' }))).toContain(
      'https is needed',
    )
  })

  it('does not reuse a connection that was opened for a caller with more rights', async () => {
    const tls = createCertificate()
    const url = (await serve(sendJson, tls)).replace('127.0.0.1', 'localhost')
    const outboundFetch = openOutboundFetch({ issuer: publicIssuer, ca: tls.cert }, resolveElsewhere('127.0.0.1'))
    expect((await outboundFetch.fetchJson(url, { namedBy: 'operator' })).document).toEqual({ a: 1 })
    expect(await reasonOf(outboundFetch.fetchJson(url, { namedBy: 'metadata' }))).toContain('not public')
  })

  const vectors = findVectors('cloud-metadata.txt')
  it.skipIf(vectors === undefined)('never leads to the metadata service of a cloud, however it is written', async () => {
    const lines = readFileSync(vectors ?? '', 'utf8')
      .split('\n')
      .map((line) => line.trim())
    const urls = lines.filter((line) => /^https?:\/\//.test(line)).map((line) => line.replace(/^http:/, 'https:'))
    expect(urls.length).toBeGreaterThan(40)
    const dialled: string[] = []
    // Whatever name remains resolves to what such names resolve to.
    const resolve = resolveElsewhere('169.254.169.254')
    const outboundFetch = openOutboundFetch({ issuer: publicIssuer }, resolve)
    for (const url of urls) {
      const reason = await reasonOf(outboundFetch.fetchJson(url, { namedBy: 'metadata' }))
      if (!/not public|not a public address|unusual notation|user information|not an absolute/.test(reason))
        dialled.push(`${url}: ${reason}`)
    }
    expect(dialled).toEqual([])
  })
})

describe('TLS', () => {
  it('is verified with an additional authority', async () => {
    const tls = createCertificate()
    const url = await serve(sendJson, tls)
    expect((await openOutboundFetch({ issuer: url, ca: tls.cert }).fetchJson(url, { namedBy: 'operator' })).document).toEqual({
      a: 1,
    })
  })

  it('refuses a certificate of an untrusted authority', async () => {
    const url = await serve(sendJson, createCertificate())
    expect(await reasonOf(fetchFrom(url))).toMatch(/self-signed/)
  })

  it('refuses a certificate of another authority', async () => {
    const url = await serve(sendJson, createCertificate())
    const outboundFetch = openOutboundFetch({ issuer: url, ca: createCertificate().cert })
    expect(await reasonOf(outboundFetch.fetchJson(url, { namedBy: 'operator' }))).toMatch(
      /self-signed|unable to verify|signature/,
    )
  })

  it('refuses a certificate for another host', async () => {
    const tls = createCertificate()
    const url = (await serve(sendJson, tls)).replace('127.0.0.1', 'other.example')
    const outboundFetch = openOutboundFetch({ issuer: url, ca: tls.cert }, resolveTo('127.0.0.1'))
    expect(await reasonOf(outboundFetch.fetchJson(url, { namedBy: 'operator' }))).toContain('other.example')
  })

  it('refuses a certificate that has expired', async () => {
    const tls = createCertificate({ endsIn: -60 })
    const url = await serve(sendJson, tls)
    const outboundFetch = openOutboundFetch({ issuer: url, ca: tls.cert })
    expect(await reasonOf(outboundFetch.fetchJson(url, { namedBy: 'operator' }))).toContain('expired')
  })

  it('is verified although the environment says otherwise', async () => {
    const url = await serve(sendJson, createCertificate())
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
    try {
      expect(await reasonOf(fetchFrom(url))).toMatch(/self-signed/)
    } finally {
      delete process.env.NODE_TLS_REJECT_UNAUTHORIZED
    }
  })
})

describe('an answer that is read as it is', () => {
  it('may be a redirect, which is shown and not followed', async () => {
    const paths: string[] = []
    const url = await serve(({ url: path = '' }, response) => {
      paths.push(path)
      response.writeHead(307, { location: '/elsewhere' }).end()
    })
    const outboundFetch = openOutboundFetch({ issuer: url })
    const shown = await outboundFetch.fetchRaw(url, { method: 'POST', namedBy: 'operator', showRedirects: true, body: '{}' })
    expect(shown).toMatchObject({ status: 307, headers: { location: '/elsewhere' } })
    expect(await reasonOf(outboundFetch.fetchRaw(url, { method: 'GET', namedBy: 'operator' }))).toContain('which is not followed')
    expect(paths).toEqual(['/', '/'])
  })

  it('is left as soon as enough of it has come, and the sender is told', async () => {
    let left: () => void
    const gone = new Promise<void>((resolve) => {
      left = resolve
    })
    const url = await serve((_request, response) => {
      response.once('close', () => left())
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n')
    })
    const request = { method: 'GET', namedBy: 'operator', isEnough: (bytes: Buffer) => bytes.includes('\n\n') } as const
    const { bytes } = await openOutboundFetch({ issuer: url }).fetchRaw(url, request)
    expect(bytes.toString()).toBe('data: 1\n\n')
    await gone
  })

  it.each(['HEAD', 'OPTIONS', 'DELETE'] as const)('may be to %s', async (method) => {
    const url = await serve((request, response) => response.writeHead(204, { 'x-method': request.method ?? '' }).end())
    const answer = await openOutboundFetch({ issuer: url }).fetchRaw(url, { method, namedBy: 'operator' })
    expect(answer).toMatchObject({ status: 204, headers: { 'x-method': method } })
  })

  it('may go where metadata must not lead only when the operator says so', async () => {
    const url = await serve(sendJson)
    const outboundFetch = openOutboundFetch({ issuer: 'https://idp.example.com' }, resolveTo('93.184.216.34'))
    const request = { method: 'GET', showRedirects: true, isEnough: () => true } as const
    expect(await reasonOf(outboundFetch.fetchRaw(url, { ...request, namedBy: 'metadata' }))).toContain('is not a public address')
    expect(await outboundFetch.fetchRaw(url, { ...request, namedBy: 'operator' })).toMatchObject({ status: 200 })
  })
})
