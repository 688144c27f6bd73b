import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Arena, checkArrived, checkAttack, checkServes, formatCall, formatRequest, startArena } from '../support/attack.ts'
import { openRawConnection } from '../support/raw-client.ts'
import { createModern } from '../support/stage.ts'
import { findVectors } from '../support/vectors.ts'

let arena: Arena

beforeAll(async () => {
  arena = await startArena()
})
afterAll(() => arena.close())

const body = formatCall('echo', 1)
const call = (...more: string[]) => Buffer.from(formatRequest(arena, { more, body }), 'latin1')
const passes = { status: 200, upstream: { body } } as const

describe('a header that could be mistaken for word from us about the caller does not arrive', () => {
  const names = [
    ...['X-Forwarded-For', 'X-Forwarded-Host', 'X-Forwarded-Proto', 'X-Forwarded-Port', 'X-Forwarded-Prefix', 'X-Forwarded-Uri'],
    ...[
      'X-Forwarded-User',
      'X-Forwarded-Email',
      'X-Forwarded-Groups',
      'X-Forwarded-Preferred-Username',
      'X-Forwarded-Access-Token',
    ],
    ...[
      'X-Forwarded-Server',
      'X-Forwarded-Scheme',
      'X-Forwarded-Ssl',
      'X-Forwarded-Method',
      'X-Forwarded-Client-Cert',
      'X-Forwarded',
    ],
    ...[
      'X-Forward-For',
      'Forwarded-For',
      'Forwarded',
      'Via',
      'X-Real-IP',
      'True-Client-IP',
      'CF-Connecting-IP',
      'Fastly-Client-IP',
    ],
    ...['X-Client-IP', 'Client-IP', 'X-Cluster-Client-IP', 'X-Originating-IP', 'X-Remote-IP', 'X-Remote-Addr', 'X-ProxyUser-Ip'],
    ...['X-Original-URL', 'X-Original-URI', 'X-Original-Host', 'X-Original-Method', 'X-Rewrite-URL', 'X-Host', 'X-Scheme'],
    ...['X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override', 'X-Accel-Redirect', 'X-Sendfile'],
    ...[
      'X-User',
      'X-User-Id',
      'X-Email',
      'X-Groups',
      'X-Remote-User',
      'Remote-User',
      'Remote-Groups',
      'Remote-Email',
      'Remote-Name',
    ],
    ...['X-Auth-User', 'X-Auth-Request-User', 'X-Auth-Request-Email', 'X-Auth-Request-Groups', 'X-Auth-Request-Access-Token'],
    ...[
      'X-Authenticated-User',
      'X-Authenticated-Userid',
      'X-WebAuth-User',
      'X-Username',
      'X-Role',
      'X-Roles',
      'X-Scope',
      'X-Scopes',
    ],
    ...[
      'X-Authorization',
      'X-Original-Authorization',
      'X-Serverless-Authorization',
      'X-Access-Token',
      'X-Id-Token',
      'X-Jwt-Assertion',
    ],
    ...['X-Goog-Authenticated-User-Email', 'X-Goog-IAP-JWT-Assertion', 'X-Amzn-Oidc-Data', 'X-Amzn-Oidc-Identity'],
    ...['X-Ms-Client-Principal', 'X-Ms-Client-Principal-Name', 'X-Ms-Token-Aad-Access-Token', 'X-Envoy-Original-Path'],
    ...['X-Consumer-Id', 'X-Consumer-Username', 'X-Credential-Identifier', 'X-Anonymous-Consumer', 'X-Authenticated-Scope'],
    ...['X-Pomerium-Jwt-Assertion', 'X-Pomerium-Claim-Email', 'X-Userinfo', 'X-Vouch-User', 'Tailscale-User-Login'],
    ...['Cf-Access-Jwt-Assertion', 'Cf-Access-Authenticated-User-Email', 'X-Oidc-Claims', 'X-Jwt-Payload', 'X-Jwt-Claims'],
    ...['X-Client-Cert', 'X-Client-Dn', 'X-Ssl-Client-Cert', 'X-Ssl-Client-Verify', 'Ssl-Client-Cert', 'X-Tls-Client-Cert'],
    ...[
      'Impersonate-User',
      'Impersonate-Group',
      'X-Mcp-Proxy-Subject',
      'X-Mcp-Authorized',
      'X-Hasura-Role',
      'X-Authentik-Username',
    ],
    ...['Client-Cert', 'Client-Cert-Chain', 'Cf-Client-Cert-Der-Base64', 'X-Amzn-Mtls-Clientcert-Subject', 'X-Arr-ClientCert'],
    ...['OIDC-Claim-Sub', 'Shib-Session-Id', 'Mellon-Name-Id', 'SM-User', 'SM-UniversalId', 'IV-User', 'IV-Groups'],
    ...['Auth-User', 'Auth-Groups', 'Auth-Mail', 'Kubeflow-Userid', 'Teleport-Jwt-Assertion', 'Ngrok-Auth-User-Email'],
    ...['Proxy-Client-IP', 'WL-Proxy-Client-IP', 'Fly-Client-IP', 'X-Token-Subject', 'X-Token-User-Email'],
    ...[
      'X-Scope-OrgID',
      'THANOS-TENANT',
      'X-Grafana-User',
      'X-Grafana-Id',
      'X-Proxy-User',
      'X-Proxy-Roles',
      'X-Proxy-Ext-Tenant',
    ],
    ...['L5d-Client-Id', 'L5d-Dst-Override', 'Dapr-Caller-App-Id', 'Sf-Context-Current-User', 'X-Replit-User-Id'],
    ...['X-Sandstorm-User-Id', 'X-Sandstorm-Permissions'],
    ...['X-Azure-FDID', 'X-Endpoint-Api-Userinfo', 'Proxy-Remote-User'],
    ...['X-Appengine-User-Email', 'X-Apigateway-Api-Userinfo', 'X-Azure-ClientIP', 'Cookie', 'Cookie2'],
    ...['Proxy-Authorization', 'Proxy', 'Keep-Alive', 'Proxy-Connection', 'HTTP2-Settings', 'TE', 'Trailer'],
  ]
  it.each(names)('%s', async (name) => {
    await checkAttack(arena, call(`${name}: admin`), passes)
    await checkAttack(arena, call(`${name.toUpperCase()}: admin`), passes)
    await checkAttack(arena, call(`${name.replaceAll('-', '_')}: admin`), passes)
  })

  it.each([
    ...[
      'X_Forwarded_User',
      'X-Forwarded_User',
      'x_forwarded-user',
      'X.Forwarded.User',
      'X-Forwarded.User',
      'HTTP_X_FORWARDED_USER',
    ],
    ...['Mcp_Session_Id', 'Mcp-Session_Id', 'Mcp.Session.Id', 'Mcp_Name', 'MCP_Method', 'MCP_PROTOCOL_VERSION'],
    ...['Content_Type', 'Authorization_', '_Authorization', "X'Forwarded", 'X*Forwarded', 'X|Y', 'X~Y', 'X!Y', 'X$Y'],
    ...['__proto__', 'constructor_', 'X-Forwarded-User~', 'X^Y', 'X`Y', 'X&Y', 'X%2DForwarded%2DUser', '#X', '+X'],
  ])('%s, which frameworks may take for another', async (name) => {
    await checkAttack(arena, call(`${name}: admin`), passes)
  })

  it.each([
    'Content_Length',
    'Content--Length',
    'ContentLength',
    'Transfer_Encoding',
    'Transfer.Encoding',
    'TRANSFER-_-ENCODING',
  ])('%s is refused: another parser might find the end of the body by it', async (name) => {
    await checkAttack(arena, call(`${name}: 5`), { status: 400, code: 'request_malformed' })
  })

  it.each(['Mcp-Param-Region', 'Mcp-Param-user_id', 'mcp-param-a.b', "Mcp-Param-x!#$%&'*+^`|~-"])(
    '%s does: tools may name their parameters so (2026-07-28, streamable-http, Custom Headers from Tool Parameters)',
    async (name) => {
      const { headers = [], body: message } = createModern('tools/call', { name: 'echo' })
      const sent = [...headers, [name, 'eu'] as const]
      const text = JSON.stringify(message)
      const bytes = formatRequest(arena, { more: sent.map(([field, value]) => `${field}: ${value}`), body: text })
      const arrived = sent.map(([field, value]) => [field.toLowerCase(), value] as const)
      await checkAttack(arena, bytes, { status: 200, upstream: { body: text, headers: arrived } })
    },
  )

  it.each(['Mcp_Param-Region', 'Mcp-Param_Region', 'Mcp.Param.Region', 'X_Mcp-Param-Region'])('%s does not', async (name) => {
    await checkAttack(arena, call(`${name}: eu`), passes)
  })

  const interesting = [
    'x-forwarded-user',
    'x-forwarded-for',
    'forwarded',
    'mcp-session-id',
    'authorization',
    'x-user',
    'cookie',
    'host',
  ]
  const spellings = fc.constantFrom(...interesting).chain((name) =>
    fc.array(fc.constantFrom('-', '_', '.', '--', '', '-_', '*', '~'), { minLength: 1, maxLength: 4 }).map((joints) => {
      const words = name.split('-')
      return (
        words.map((word, index) => (index === 0 ? word : `${joints[index % joints.length]}${word}`)).join('') + (joints[0] ?? '')
      )
    }),
  )
  it('nor does any spelling with other punctuation that folds onto one of them', async () => {
    const fold = (name: string) =>
      name
        .toLowerCase()
        .replace(/[^a-z0-9]+/g, '-')
        .replace(/^-|-$/g, '')
    await fc.assert(
      fc.asyncProperty(spellings, async (name) => {
        const since = arena.upstream.requests.length
        const connection = await openRawConnection(arena.proxy.port)
        connection.write(call(`${name}: evil-value`))
        const answer = await connection.readResponse()
        connection.destroy()
        expect([200, 400, 404]).toContain(answer.status)
        const arrived = arena.upstream.requests.slice(since)
        const folded = arrived.flatMap(({ rawHeaders }) =>
          rawHeaders.flatMap((field, index) => (index % 2 === 0 && rawHeaders[index + 1] === 'evil-value' ? [fold(field)] : [])),
        )
        expect(folded.filter((field) => interesting.includes(field))).toEqual([])
      }),
      { numRuns: 200 },
    )
  })
})

describe('Connection takes away what belongs to one hop, and nothing that counts', () => {
  it.each([
    ...['authorization', 'mcp-session-id', 'mcp-name', 'mcp-method', 'mcp-protocol-version', 'mcp-param-x', 'host', 'origin'],
    ...[
      'content-length',
      'content-type',
      'content-encoding',
      'cookie',
      'x-forwarded-user',
      'x-forwarded-for',
      'forwarded',
      'expect',
    ],
    ...['last-event-id', 'x_y', 'transfer-encoding'],
  ])('a request that names %s in it is refused (400)', async (name) => {
    const expected = { status: 400 }
    if (name === 'expect' || name === 'transfer-encoding') {
      // Fields of one hop by themselves.
      await checkAttack(arena, call(`Connection: keep-alive, ${name}`), passes)
      return
    }
    await checkAttack(arena, call(`Connection: close, ${name}`), expected)
    await checkAttack(arena, call(`Connection: ${name.toUpperCase()}`), expected)
    await checkAttack(arena, call(`Connection: keep-alive,\t${name}\t,x-a`), expected)
  })

  it('two Connection headers are refused (400)', async () => {
    await checkAttack(arena, call('Connection: keep-alive', 'Connection: authorization'), { status: 400 })
  })

  it('an ordinary header named in it ends here, others go on', async () => {
    await checkAttack(arena, call('Connection: keep-alive, X-Hop', 'X-Hop: 1', 'X-End: 2'), {
      status: 200,
      upstream: { body, headers: [['x-end', '2']] },
    })
  })
})

describe('a header that we read comes once (400)', () => {
  it.each([
    ['Origin', 'http://localhost:1', 'https://evil.example'],
    ['Last-Event-ID', '1', '2'],
    ['Expect', '100-continue', '100-continue'],
  ])('%s twice', async (name, first, second) => {
    await checkAttack(arena, call(`${name}: ${first}`, `${name}: ${second}`), { status: 400, code: 'request_malformed' })
    await checkAttack(arena, call(`${name}: ${first}`, `${name.toUpperCase()}: ${first}`), { status: 400 })
  })

  it.each([
    ['Mcp-Session-Id', 'a', 'b'],
    ['Mcp-Name', 'echo', 'drop_db'],
    ['Mcp-Method', 'tools/call', 'ping'],
    ['MCP-Protocol-Version', '2025-11-25', '2024-11-05'],
    ['MCP-Protocol-Version', '2024-11-05', '2026-07-28'],
    ['Mcp-Param-Region', 'eu', 'us'],
  ])('%s twice, with the error of MCP and the id of the request', async (name, first, second) => {
    for (const [one, other] of [
      [`${name}: ${first}`, `${name}: ${second}`],
      [`${name}: ${first}`, `${name.toUpperCase()}: ${first}`],
    ] as const) {
      const answer = await checkAttack(arena, call(one, other), { status: 400, code: 'header_mismatch' })
      expect(JSON.parse(answer?.body.toString() ?? '')).toMatchObject({ id: 1, error: { code: -32020 } })
    }
  })

  it('but who has no token learns that first', async () => {
    const lines = ['Host: localhost:{port}', 'Mcp-Method: ping', 'Mcp-Method: tools/call']
    await checkAttack(arena, formatRequest(arena, { method: 'GET', lines }), { status: 401, code: 'token_missing' })
  })

  it.each(['GET', 'DELETE'])('nor twice in a %s', async (method) => {
    const more = ['Mcp-Session-Id: a', 'Mcp-Session-Id: a']
    await checkAttack(arena, formatRequest(arena, { method, more }), { status: 400, code: 'header_mismatch' })
  })

  it.each(['Content-Type: application/json', 'Content-Type: text/plain'])('a second %s', async (line) => {
    await checkAttack(arena, call(line), { status: 400, code: 'request_malformed' })
  })

  it('Content-Encoding twice', async () => {
    await checkAttack(arena, call('Content-Encoding: identity', 'Content-Encoding: gzip'), { status: 400 })
  })
})

describe('nothing but the token opens anything', () => {
  const stranger = (...more: string[]) =>
    formatRequest(arena, {
      lines: ['Host: localhost:{port}', 'Content-Type: application/json', `Content-Length: ${body.length}`, ...more],
      body,
    })
  it.each([
    ['the health checker of a load balancer', 'User-Agent: ELB-HealthChecker/2.0'],
    ['GoogleHC', 'User-Agent: GoogleHC/1.0'],
    ['a kube-probe', 'User-Agent: kube-probe/1.29'],
    ['our own page', 'Referer: http://localhost:{port}/healthz'],
    ['an internal address', 'X-Forwarded-For: 127.0.0.1'],
    ['an internal path', 'X-Forwarded-Uri: /healthz'],
    ['another original URL', 'X-Original-URL: /healthz'],
    ['another method', 'X-HTTP-Method-Override: OPTIONS'],
    ['a router key', 'Mcp-Init-Host: internal\r\nRouter-Key: secret'],
    ['an authenticated user', 'X-Forwarded-User: admin\r\nX-Auth-Request-Email: admin@example.com'],
    ['a client certificate', 'X-Ssl-Client-Verify: SUCCESS'],
    ['a preflight', 'Access-Control-Request-Method: POST\r\nOrigin: http://localhost:1'],
    ['a session', 'Mcp-Session-Id: 00000000-0000-0000-0000-000000000000'],
    ['the name constructor', 'constructor: x\r\nhasOwnProperty: y\r\n__proto__: z'],
  ])('%s is a stranger (401)', async (_name, line) => {
    await checkAttack(arena, stranger(line.replace('{port}', String(arena.proxy.port))), { status: 401, code: 'token_missing' })
  })
})

describe('limits of the header section', () => {
  it('100 fields pass', async () => {
    const more = Array.from({ length: 96 }, (_, index): [string, string] => [`x-h${index}`, String(index)])
    await checkAttack(arena, call(...more.map(([name, value]) => `${name}: ${value}`)), {
      status: 200,
      upstream: { body, headers: more },
    })
  })

  it.each([101, 149, 150, 151, 152, 500, 1000])('%i fields are too many (431)', async (count) => {
    const more = Array.from({ length: count - 4 }, () => 'a: b')
    await checkAttack(arena, call(...more), count > 150 ? { status: 431 } : { status: 431, code: 'headers_too_many' })
  })

  it('a second Authorization behind a thousand fields is not overlooked', async () => {
    const more = Array.from({ length: 1000 }, () => 'a: b')
    await checkAttack(arena, call(...more, 'Authorization: Bearer evil'), { status: 431 })
  })

  it.each([
    ['one value of 16 KiB', () => [`X-A: ${'a'.repeat(16 * 1024)}`]],
    ['one name of 16 KiB', () => [`${'x'.repeat(16 * 1024)}: a`]],
    ['many of 1 KiB', () => Array.from({ length: 20 }, (_, index) => `x-h${index}: ${'a'.repeat(1024)}`)],
    ['a value of 1 MiB', () => [`X-A: ${'a'.repeat(1024 * 1024)}`]],
  ] as const)('%s (431)', async (_name, more) => {
    await checkAttack(arena, call(...more()), { status: 431 })
  })

  it('a target of 16 KiB (431)', async () => {
    await checkAttack(arena, formatRequest(arena, { target: `/mcp?${'a'.repeat(16 * 1024)}` }), { status: 431 })
  })

  it('trailers of 64 KiB', async () => {
    const trailers = Array.from({ length: 64 }, (_, index) => `x-h${index}: ${'a'.repeat(1024)}`).join('\r\n')
    const bytes = formatRequest(arena, {
      lines: [
        'Host: localhost:{port}',
        'Authorization: Bearer {token}',
        'Content-Type: application/json',
        'Transfer-Encoding: chunked',
      ],
      body: `${body.length.toString(16)}\r\n${body}\r\n0\r\n${trailers}\r\n\r\n`,
    })
    await checkAttack(arena, bytes, { status: 431 })
  })
})

describe('what the configuration adds cannot be replaced', () => {
  let own: Arena
  beforeAll(async () => {
    own = await startArena({
      server: (origin) => ({
        upstream: {
          url: `${origin}/up`,
          headers: { 'X-Api-Key': { env: 'KEY' }, Authorization: { env: 'BASIC', prefix: 'Basic ' } },
        },
      }),
      env: { KEY: 'key-of-the-upstream', BASIC: 'dXBzdHJlYW06c2VjcmV0' },
    })
    own.secrets.push('key-of-the-upstream', 'dXBzdHJlYW06c2VjcmV0')
  })
  afterAll(() => own.close())

  it.each(['X-Api-Key: evil', 'x-api-key: evil', 'X_Api_Key: evil', 'X-API-KEY:', 'X.Api.Key: evil'])('%s', async (line) => {
    const since = own.upstream.requests.length
    const connection = await openRawConnection(own.proxy.port)
    connection.write(formatRequest(own, { body, more: [line] }))
    expect((await connection.readResponse()).status).toBe(200)
    connection.destroy()
    const headers: [string, string][] = [
      ['x-api-key', 'key-of-the-upstream'],
      ['authorization', 'Basic dXBzdHJlYW06c2VjcmV0'],
    ]
    await checkArrived(own, since, [{ body, headers }])
  })
})

describe('a proxy before us that is trusted', () => {
  let behind: Arena
  beforeAll(async () => {
    behind = await startArena({ config: { trusted_proxies: ['127.0.0.0/8'] } })
  })
  afterAll(() => behind.close())

  it.each([
    ['203.0.113.7', '203.0.113.7, 127.0.0.1'],
    ['203.0.113.7, 198.51.100.2', '198.51.100.2, 127.0.0.1'],
    ['2001:db8::1', '2001:db8::1, 127.0.0.1'],
    ['unknown', '127.0.0.1'],
    ['203.0.113.7:1234', '203.0.113.7, 127.0.0.1'],
    ['evil"; host=x, 203.0.113.7', '203.0.113.7, 127.0.0.1'],
    ['127.0.0.1\\, admin', '127.0.0.1'],
  ])('X-Forwarded-For: %s becomes %s', async (sent, arrived) => {
    const connection = await openRawConnection(behind.proxy.port)
    const since = behind.upstream.requests.length
    connection.write(
      formatRequest(behind, { body, more: [`X-Forwarded-For: ${sent}`, 'X-Forwarded-User: admin', 'X-Forwarded-Host: evil'] }),
    )
    expect((await connection.readResponse()).status).toBe(200)
    connection.destroy()
    const request = await behind.upstream.waitForRequest(since)
    expect(request.headers['x-forwarded-for']).toBe(arrived)
    expect(request.headers['x-forwarded-user']).toBeUndefined()
    expect(request.headers['x-forwarded-host']).toBe(`localhost:${behind.proxy.port}`)
  })
})

describe('values pass byte for byte or not at all', () => {
  const value = fc.uint8Array({ minLength: 1, maxLength: 60 }).map((bytes) => Buffer.from(bytes).toString('latin1'))

  it('whatever bytes they have', async () => {
    await fc.assert(
      fc.asyncProperty(value, async (text) => {
        const since = arena.upstream.requests.length
        const connection = await openRawConnection(arena.proxy.port)
        connection.write(call(`X-Any: ${text}`))
        const answer = await connection.readResponse()
        connection.destroy()
        const legal = !/[\u0000-\u0008\u000a-\u001f\u007f]/.test(text)
        if (!legal && answer.status !== 200) expect(answer.status).toBe(400)
        else {
          expect(answer.status).toBe(200)
          const trimmed = text.replace(/^[ \t]+|[ \t]+$/g, '')
          await checkArrivedRaw(since, trimmed)
        }
      }),
      { numRuns: 300 },
    )
    await checkServes(arena)
  })

  async function checkArrivedRaw(since: number, expected: string): Promise<void> {
    const { rawHeaders } = await arena.upstream.waitForRequest(since)
    const index = rawHeaders.indexOf('x-any')
    expect(rawHeaders[index + 1]).toBe(expected)
  }

  const naughty = findVectors('blns.json')
  it.skipIf(naughty === undefined)('the big list of naughty strings', async () => {
    const strings = JSON.parse(readFileSync(naughty!, 'utf8')) as string[]
    for (const text of strings) {
      const bytes = Buffer.from(text).toString('latin1')
      const since = arena.upstream.requests.length
      const connection = await openRawConnection(arena.proxy.port)
      connection.write(call(`X-Any: ${bytes}`))
      const answer = await connection.readResponse()
      connection.destroy()
      if (answer.status === 200) await checkArrivedRaw(since, bytes.replace(/^[ \t]+|[ \t]+$/g, ''))
      else expect(answer.status, text).toBe(400)
    }
    await checkServes(arena)
  })
})
