// Who calls is said by the proxy alone: no client can say it in its place, and what the proxy says is good for one MCP server only.
import { generateKeyPairSync, type JsonWebKey, sign } from 'node:crypto'
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify, SignJWT } from 'jose'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ConfigInput } from '../../src/config/schema/schema.ts'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import { createRawClient, obtainTokens, readJson } from '../support/broker-client.ts'
import { ACCESS_TOKEN_TYPE, JWT_BEARER, type MachineStage, startMachineStage, TOKEN_EXCHANGE } from '../support/machine-stage.ts'
import { openRawConnection } from '../support/raw-client.ts'
import { type RecordedRequest, type RecordingUpstream, startRecordingUpstream } from '../support/recording-upstream.ts'
import { type Attempt, createCall, formatAttempt, type Stage, startStage } from '../support/stage.ts'

type IdentityInput = NonNullable<ConfigInput['servers'][number]['identity']>

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const env = { IDENTITY_KEY: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString() }
const key = { env: 'IDENTITY_KEY' }

/** The values of a field, under whatever name a framework folds into its name. */
function findFolded({ rawHeaders }: RecordedRequest, name: string): string[] {
  const fold = (text: string) => text.toLowerCase().replace(/[^a-z0-9]/g, '')
  return rawHeaders.filter((_, index) => index % 2 === 1 && fold(rawHeaders[index - 1] ?? '') === fold(name))
}

describe('a client that says itself who it is', () => {
  let stage: Stage
  let token: string
  beforeEach(async () => {
    const identity: IdentityInput = {
      key,
      header: 'X-Caller',
      headers: { 'X-Team': { claim: 'team' }, 'X-Absent': { claim: 'absent' } },
    }
    stage = await startStage({
      env,
      servers: ({ upstream }) => [
        {
          path: '/mcp',
          upstream: `${upstream}/up`,
          sse: { path: '/sse', upstream: `${upstream}/sse` },
          audience: ['https://mcp.example.com/mcp'],
          identity,
        },
      ],
    })
    token = await stage.mint({ team: 'blue' })
  })
  afterEach(() => stage.close())

  /** Sends a request byte for byte, and returns what arrived; undefined where nothing did. */
  async function send(attempt: Attempt): Promise<RecordedRequest | undefined> {
    const { length } = stage.upstream.requests
    const connection = await openRawConnection(stage.proxy.port)
    try {
      connection.write(formatAttempt(stage, { token, ...attempt }))
      const { status } = await connection.readResponse({ method: attempt.method ?? 'POST' })
      const arrived = stage.upstream.requests[length]
      expect(status < 300).toBe(arrived !== undefined)
      return arrived
    } finally {
      connection.destroy()
    }
  }

  const body = createCall('tools/list')
  const names = ['X-Team', 'X-Absent', 'X-Caller']
  const spellings: readonly (readonly [string, (name: string) => readonly (readonly [string, string])[]])[] = [
    ['as it is', (name) => [[name, 'eve']]],
    ['in lower case', (name) => [[name.toLowerCase(), 'eve']]],
    ['in capitals', (name) => [[name.toUpperCase(), 'eve']]],
    [
      'twice',
      (name) => [
        [name, 'eve'],
        [name.toLowerCase(), 'mallory'],
      ],
    ],
    ['with underscores, as CGI, WSGI and Rack read it', (name) => [[name.replaceAll('-', '_'), 'eve']]],
    ['with one underscore in capitals', (name) => [[name.toUpperCase().replaceAll('-', '_'), 'eve']]],
    ['with a dot', (name) => [[name.replaceAll('-', '.'), 'eve']]],
    ['with two dashes', (name) => [[name.replaceAll('-', '--'), 'eve']]],
    ['with a dash at the end', (name) => [[`${name}-`, 'eve']]],
    ['as a variable of CGI', (name) => [[`HTTP_${name.replaceAll('-', '_')}`, 'eve']]],
    ['with a blank before the colon', (name) => [[`${name} `, 'eve']]],
    ['with a tab before the name', (name) => [[`\t${name}`, 'eve']]],
    ['on a folded line', (name) => [['X-Other', `a\r\n ${name}: eve`]]],
    [
      'named in Connection',
      (name) => [
        [name, 'eve'],
        ['Connection', `close, ${name}`],
      ],
    ],
    ['named in Connection alone', (name) => [['Connection', name]]],
    ['without a value', (name) => [[name, '']]],
    ['with what ends a line for some', (name) => [['X-Other', `a\rX: b\r${name}: eve`]]],
  ]

  it.each(spellings)('is not believed when it sends the name %s', async (_how, spell) => {
    for (const name of names) {
      const arrived = await send({ headers: spell(name), body })
      if (arrived === undefined) continue
      expect([findFolded(arrived, 'X-Team'), findFolded(arrived, 'X-Absent')]).toEqual([['blue'], []])
      const [assertion, ...others] = findFolded(arrived, 'X-Caller')
      expect(others).toEqual([])
      expect(decodeJwt(assertion ?? '').aud).toBe(`${stage.upstream.origin}/up`)
      for (const value of arrived.rawHeaders) expect(value).not.toMatch(/eve|mallory/)
    }
  })

  it('is not believed on streams, at the end of a session, and over HTTP+SSE', async () => {
    stage.answerWith(async ({ url, method }, response) => {
      if (url !== '/sse') return void response.writeHead(202).end()
      if (method === 'GET')
        response.writeHead(200, { 'content-type': 'text/event-stream' }).write('event: endpoint\ndata: /post\n\n')
    })
    const forged: [string, string][] = [
      ['X-Team', 'eve'],
      ['x_team', 'eve'],
      ['X-Absent', 'eve'],
      ['X-Caller', 'eve'],
    ]
    const requests = [await send({ method: 'DELETE', headers: forged }), await send({ method: 'GET', headers: forged })]
    const headers = Object.fromEntries([...forged, ['authorization', `Bearer ${token}`]])
    const stream = await fetch(`${stage.proxy.origin}/sse`, { headers })
    const [, endpoint = ''] = /data: (\S+)/.exec(new TextDecoder().decode((await stream.body?.getReader().read())?.value)) ?? []
    requests.push(stage.upstream.requests.at(-1))
    requests.push(await send({ target: endpoint, headers: forged, body }))
    expect(requests.map((request) => request?.url)).toEqual(['/up', '/up', '/sse', '/post'])
    for (const request of requests) {
      const arrived = request as RecordedRequest
      expect([findFolded(arrived, 'X-Team'), findFolded(arrived, 'X-Absent')]).toEqual([['blue'], []])
      const aud = `${stage.upstream.origin}${['/sse', '/post'].includes(arrived.url) ? '/sse' : '/up'}`
      expect(findFolded(arrived, 'X-Caller').map((jwt) => decodeJwt(jwt).aud)).toEqual([aud])
    }
    await stream.body?.cancel().catch(() => undefined)
  })

  it('cannot end the field by a claim of its own, nor add a member to a list', async () => {
    token = await stage.mint({ team: 'blue\r\nX-Absent: eve,admins' })
    const arrived = (await send({ body })) as RecordedRequest
    expect(findFolded(arrived, 'X-Team')).toEqual(['blue%0D%0AX-Absent: eve%2Cadmins'])
    expect(findFolded(arrived, 'X-Absent')).toEqual([])
  })
})

const call = async (url: string, token: string): Promise<number> => {
  const response = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify(createCall('tools/list')),
  })
  return response.status
}
const readAssertion = ({ headers }: RecordedRequest): string => String(headers.authorization).replace('Bearer ', '')

describe('an assertion that an MCP server keeps', () => {
  let stage: Stage
  let assertion: string
  beforeEach(async () => {
    stage = await startStage({
      env,
      servers: ({ upstream }) => [
        // Audience and scopes are those of the assertion: type and keys alone refuse it.
        { path: '/mcp', upstream: `${upstream}/up`, audience: ['https://mcp.example.com/mcp'], identity: { key } },
        { path: '/two', upstream: `${upstream}/two`, audience: ['https://mcp.example.com/mcp'], identity: { key } },
      ],
    })
    expect(await call(`${stage.proxy.origin}/mcp`, stage.token)).toBe(200)
    assertion = readAssertion(stage.upstream.requests.at(-1) as RecordedRequest)
    stage.secrets.push(assertion)
  })
  afterEach(() => stage.close())

  const keysOf = (origin: string) => createRemoteJWKSet(new URL(`${origin}/identity/jwks`))

  it('is good for no other MCP server, which sees by the audience that it is not meant', async () => {
    const { origin } = stage.proxy
    const audience = `${stage.upstream.origin}/up`
    await expect(jwtVerify(assertion, keysOf(origin), { issuer: origin, audience })).resolves.toBeDefined()
    await expect(
      jwtVerify(assertion, keysOf(origin), { issuer: origin, audience: `${stage.upstream.origin}/two` }),
    ).rejects.toThrow(/aud/)
  })

  it('is no access token here, neither of its own server nor of another', async () => {
    for (const path of ['/mcp', '/two']) expect(await call(`${stage.proxy.origin}${path}`, assertion)).toBe(401)
    expect(stage.upstream.requests).toHaveLength(1)
  })

  it('cannot be made by who knows the published keys: not with them as a secret, not without a signature', async () => {
    const response = await fetch(`${stage.proxy.origin}/identity/jwks`)
    const document = (await response.json()) as { keys: JsonWebKey[] }
    const [jwk] = document.keys
    expect(document.keys.map((one) => Object.keys(one).sort())).toEqual([['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']])
    expect([jwk?.kty, jwk?.alg, jwk?.use]).toEqual(['EC', 'ES256', 'sig'])
    const claims = { ...decodeJwt(assertion), sub: 'eve' }
    const kid = String(jwk?.kid)
    const options = { issuer: stage.proxy.origin, audience: `${stage.upstream.origin}/up` }
    const symmetric = await new SignJWT(claims).setProtectedHeader({ alg: 'HS256', kid }).sign(Buffer.from(JSON.stringify(jwk)))
    const [, payload] = assertion.split('.')
    const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.`
    for (const forged of [symmetric, none]) {
      await expect(jwtVerify(forged, keysOf(stage.proxy.origin), options)).rejects.toThrow()
      expect(await call(`${stage.proxy.origin}/mcp`, forged)).toBe(401)
    }
  })

  it('is refused here for its type even if the issuer of access tokens had signed it', async () => {
    const { privateKey: signer, kid } = stage.issuer.signingKey
    const claims = { ...decodeJwt(assertion), iss: stage.issuer.issuer, aud: 'https://mcp.example.com/mcp' }
    const header = { ...decodeProtectedHeader(assertion), alg: 'RS256', kid }
    const signed = await new SignJWT(claims).setProtectedHeader(header).sign(signer)
    expect(await call(`${stage.proxy.origin}/mcp`, signed)).toBe(401)
    const { typ: _, ...untyped } = header
    expect(await call(`${stage.proxy.origin}/mcp`, await new SignJWT(claims).setProtectedHeader(untyped).sign(signer))).toBe(200)
  })
})

describe('with an authorization server of our own', () => {
  let stage: MachineStage
  let upstream: RecordingUpstream
  let assertion: string
  const [alice] = SAMPLE_USERS
  beforeEach(async () => {
    upstream = await startRecordingUpstream()
    stage = await startMachineStage({
      servers: () => [
        {
          name: 'example',
          path: '/mcp',
          upstream: `${upstream.origin}/up`,
          scopes: ['mcp:tools'],
          identity: { claims: ['email'] },
        },
        { name: 'other', path: '/other', upstream: `${upstream.origin}/other`, scopes: ['mcp:tools'] },
      ],
    })
    const tokens = await obtainTokens(stage.proxy.origin, await createRawClient(stage.proxy.origin), alice, {
      scope: 'mcp:tools',
    })
    expect(await call(stage.url, tokens.access_token)).toBe(200)
    assertion = readAssertion(upstream.requests.at(-1) as RecordedRequest)
  })
  afterEach(async () => {
    await stage.close()
    await upstream.close()
  })

  it('its keys are not those of assertions, and its users keep their names', async () => {
    const list = async (path: string) =>
      (await readJson(await fetch(`${stage.proxy.origin}${path}`))).keys.map((one: { kid: string }) => one.kid)
    const [broker, identity] = [await list('/jwks'), await list('/identity/jwks')]
    expect(identity).toHaveLength(1)
    expect(broker).not.toContain(identity[0])
    expect(decodeJwt(assertion)).toMatchObject({ iss: stage.proxy.origin, sub: 'alice', email: 'alice@example.com' })
  })

  it('an assertion is no access token, at no server', async () => {
    for (const path of ['/mcp', '/other']) expect(await call(`${stage.proxy.origin}${path}`, assertion)).toBe(401)
    expect(upstream.requests).toHaveLength(1)
  })

  it('an assertion buys no token: neither by exchange, nor as an assertion of an identity provider or of a client', async () => {
    const exchange = {
      grant_type: TOKEN_EXCHANGE,
      subject_token: assertion,
      subject_token_type: ACCESS_TOKEN_TYPE,
      resource: stage.url,
    }
    const attempts = [
      await stage.request(exchange, 'gateway'),
      await stage.request({ grant_type: JWT_BEARER, assertion, resource: stage.url }, 'agent'),
      await stage.request({
        grant_type: 'client_credentials',
        client_id: 'signer',
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: assertion,
        resource: stage.url,
      }),
    ]
    for (const response of attempts) {
      expect([400, 401]).toContain(response.status)
      expect(await readJson(response)).not.toHaveProperty('access_token')
    }
  })

  it('one that has the audience and type of our access tokens is refused for its key', async () => {
    const input = [
      { ...decodeProtectedHeader(assertion), typ: 'at+jwt' },
      { ...decodeJwt(assertion), aud: stage.url, jti: 'x' },
    ]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.')
    const signature = sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')
    expect(await call(stage.url, `${input}.${signature}`)).toBe(401)
  })
})
