import { expect } from 'vitest'
import type { ConfigInput } from '../../src/config/schema/schema.ts'
import { findSecrets } from './log.ts'
import { startTestProxy, type TestProxy } from './proxy.ts'
import { openRawConnection, type RawConnection, type RawResponse } from './raw-client.ts'
import { type Answer, type RecordedRequest, type RecordingUpstream, startRecordingUpstream } from './recording-upstream.ts'
import { startIssuer, type TestIssuer } from './tokens.ts'

type ServerInput = ConfigInput['servers'][number]

/** A proxy, what stands behind it, and what an attacker may hold. */
export interface Arena {
  readonly proxy: TestProxy
  readonly upstream: RecordingUpstream
  readonly issuer: TestIssuer
  /** Origin under which clients know the proxy. */
  readonly publicUrl: URL
  /** A good token with the base scope. */
  readonly token: string
  /** What must never be seen in a log. Tests add theirs. */
  readonly secrets: string[]
  /** @throws AssertionError when a secret stands in the log */
  close(): Promise<void>
}

export interface ArenaOptions {
  /** Members of the one server at `/mcp` beside or instead of the usual ones; may depend on the upstream's origin. */
  readonly server?: Partial<ServerInput> | ((origin: string) => Partial<ServerInput>)
  /** Everything else of the configuration. */
  readonly config?: Partial<Omit<ConfigInput, 'servers' | 'listen'>>
  /** Environment variables for the secrets of the configuration. */
  readonly env?: Readonly<Record<string, string>>
  /** Instead of an upstream that repeats the id of what it is asked. */
  readonly answer?: Answer
}

const audience = 'https://mcp.example.com/mcp'
export const baseScope = 'mcp:tools'

/** Starts a proxy on a real socket before an upstream that records every byte. */
export async function startArena({ server, config, env, answer = repeatId }: ArenaOptions = {}): Promise<Arena> {
  const [upstream, issuer] = await Promise.all([startRecordingUpstream(answer), startIssuer({ audience })])
  const proxy = await startTestProxy(
    {
      issuers: [issuer.issuer],
      ...config,
      servers: [
        {
          path: '/mcp',
          upstream: `${upstream.origin}/up`,
          audience: [audience],
          scopes: [baseScope],
          rules: [{ tool: 'drop_db', scopes: ['db:admin'] }],
          ...(typeof server === 'function' ? server(upstream.origin) : server),
        },
      ],
    },
    env,
  )
  const token = await issuer.mint()
  const secrets = [token]
  return {
    proxy,
    upstream,
    issuer,
    publicUrl: new URL(config?.public_url ?? proxy.origin),
    token,
    secrets,
    close: async () => {
      await Promise.all([proxy.close(), upstream.close(), issuer.close()])
      expect(findSecrets(proxy.log.text(), secrets)).toEqual([])
    },
  }
}

/** Answers with the id that it was asked with, so that an answer that went astray is noticed. */
export const repeatId: Answer = async (request, response) => {
  const body = (await request.body).toString('utf8')
  const id = /"id":("[^"]*"|\d+)/.exec(body)?.[1] ?? 'null'
  response.writeHead(200, { 'Content-Type': 'application/json' }).end(`{"jsonrpc":"2.0","id":${id},"result":{}}`)
}

export interface RequestParts {
  readonly method?: string
  readonly target?: string
  readonly version?: string
  /** Header lines; `{port}` and `{token}` are filled in. Instead of Host, Authorization, Content-Type and Content-Length. */
  readonly lines?: readonly string[]
  /** Header lines beside the usual ones. */
  readonly more?: readonly string[]
  readonly body?: string
}

let lastId = 0

/** The body of a permitted call of a tool; each with an id of its own. */
export function formatCall(tool = 'echo', id: number | string = ++lastId): string {
  return JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: { name: tool, arguments: {} } })
}

/** The exact bytes of a request. What isn't given is as a good client has it. */
export function formatRequest(arena: Arena, parts: RequestParts = {}): string {
  const { method = 'POST', target = '/mcp', version = '1.1', more = [] } = parts
  const body = parts.body ?? (method === 'POST' ? formatCall() : '')
  const content = body === '' ? [] : ['Content-Type: application/json', `Content-Length: ${Buffer.byteLength(body)}`]
  const lines = parts.lines ?? ['Host: localhost:{port}', 'Authorization: Bearer {token}', ...content]
  const head = [`${method} ${target} HTTP/${version}`, ...lines, ...more].join('\r\n')
  return `${fillIn(arena, head)}\r\n\r\n${body}`
}

/** Puts port and token where `{port}` and `{token}` stand. */
export function fillIn(arena: Arena, text: string): string {
  return text.replaceAll('{port}', String(arena.proxy.port)).replaceAll('{token}', arena.token)
}

/** What a request must look like at the upstream, every header included. */
export interface ExpectedRequest {
  readonly method?: string
  readonly url?: string
  /** Beside those that every request has; lower-case names, the order doesn't count. */
  readonly headers?: readonly (readonly [name: string, value: string])[]
  readonly body?: string
  /** HTTP version of the client. */
  readonly version?: '1.0' | '1.1'
}

export interface Expectation {
  /** Undefined: the connection is closed without any answer. */
  readonly status: number | undefined
  /** The `error` of the JSON-RPC error's `data`; undefined where the request wasn't even one. */
  readonly code?: string
  /** Scopes that the challenge asks for, where they are not the base scope. */
  readonly scope?: string
  /** What reaches the upstream. Default: nothing. */
  readonly upstream?: ExpectedRequest
}

/**
 * Sends an attack on a connection of its own and checks it four ways: the answer with its challenge, what arrived upstream, that good
 * requests are still served with their own answers (on the same connection too, where it stays open), and the log.
 *
 * @param bytes - exactly what is sent
 * @returns the answer; undefined when none was expected
 */
export async function checkAttack(
  arena: Arena,
  bytes: string | Buffer,
  expectation: Expectation,
): Promise<RawResponse | undefined> {
  const before = { requests: arena.upstream.requests.length, log: arena.proxy.log.text().length }
  const connection = await openRawConnection(arena.proxy.port)
  try {
    connection.write(bytes)
    const answer = await readAnswer(connection, bytes, expectation)
    const expected = expectation.upstream === undefined ? [] : [expectation.upstream]
    if (answer !== undefined && answer.header('connection') !== 'close') {
      expected.push(await checkServes(arena, connection))
    }
    expected.push(await checkServes(arena))
    await checkArrived(arena, before.requests, expected)
    expect(findSecrets(arena.proxy.log.text().slice(before.log), arena.secrets)).toEqual([])
    return answer
  } finally {
    connection.destroy()
  }
}

async function readAnswer(
  connection: RawConnection,
  bytes: string | Buffer,
  expectation: Expectation,
): Promise<RawResponse | undefined> {
  if (expectation.status === undefined) {
    await connection.closed
    expect(connection.received().toString('latin1')).toBe('')
    return undefined
  }
  const answer = await connection.readResponse({ method: methodOf(bytes) })
  expect(answer.status, answer.body.toString('utf8')).toBe(expectation.status)
  if (expectation.code !== undefined && methodOf(bytes) !== 'HEAD') {
    const refusals: unknown[] = [JSON.parse(answer.body.toString('utf8'))].flat()
    expect(refusals.length).toBeGreaterThan(0)
    for (const refusal of refusals) expect(refusal).toMatchObject({ error: { data: { error: expectation.code } } })
  }
  if (answer.status >= 400) checkRefusal(answer, expectation)
  if (answer.header('connection') === 'close') await connection.closed
  return answer
}

function methodOf(bytes: string | Buffer): string {
  return Buffer.from(bytes).subarray(0, 16).toString('latin1').split(' ')[0] ?? ''
}

/** What a challenge must say, by the code of the refusal. Everything else has none. */
const errorsOfChallenges = new Map<string | undefined, string | undefined>([
  ['token_missing', undefined],
  ['token_invalid', 'invalid_token'],
  ['token_expired', 'invalid_token'],
  ['token_audience_mismatch', 'invalid_token'],
  ['token_issuer_unknown', 'invalid_token'],
  ['token_type_wrong', 'invalid_token'],
  ['token_request_malformed', 'invalid_request'],
  ['scope_insufficient', 'insufficient_scope'],
])

function checkRefusal(answer: RawResponse, { code, scope = baseScope }: Expectation): void {
  expect(answer.header('access-control-allow-credentials')).toBeUndefined()
  const challenge = answer.header('www-authenticate')
  if (!errorsOfChallenges.has(code)) {
    expect(challenge).toBeUndefined()
    return
  }
  const error = errorsOfChallenges.get(code)
  const metadata = /resource_metadata="http:\/\/localhost:\d+\/\.well-known\/oauth-protected-resource\/(?:mcp|sse)"/
  expect(challenge).toMatch(metadata)
  expect(challenge).toMatch(/^Bearer /)
  expect(challenge).toContain(`scope="${scope}"`)
  expect(/ error="([^"]*)"/.exec(challenge ?? '')?.[1]).toBe(error)
  expect(answer.header('cache-control')).toBe('no-store')
}

/**
 * Sends a good request and checks that its own answer comes.
 *
 * @param connection - default: a new one
 * @returns what must have arrived upstream
 */
export async function checkServes(arena: Arena, connection?: RawConnection): Promise<ExpectedRequest> {
  const used = connection ?? (await openRawConnection(arena.proxy.port))
  try {
    const id = `good-${++lastId}`
    const body = formatCall('echo', id)
    used.write(formatRequest(arena, { body }))
    const answer = await used.readResponse()
    expect(answer.body.toString('utf8')).toBe(`{"jsonrpc":"2.0","id":"${id}","result":{}}`)
    expect(answer.status).toBe(200)
    return { body }
  } finally {
    if (connection === undefined) used.destroy()
  }
}

/** Checks that exactly these requests arrived since, every header included. */
export async function checkArrived(arena: Arena, since: number, expected: readonly ExpectedRequest[]): Promise<void> {
  const arrived = await Promise.all(arena.upstream.requests.slice(since).map(describeRequest))
  expect(arrived).toEqual(expected.map((request) => describeExpected(arena, request)))
}

interface DescribedRequest {
  readonly method: string
  readonly url: string
  readonly headers: readonly string[]
  readonly body: string
}

async function describeRequest(request: RecordedRequest): Promise<DescribedRequest> {
  const headers: string[] = []
  for (let i = 0; i < request.rawHeaders.length; i += 2) headers.push(`${request.rawHeaders[i]}: ${request.rawHeaders[i + 1]}`)
  const body = (await request.body).toString('utf8')
  return { method: request.method, url: request.url, headers: headers.sort(), body }
}

function describeExpected(arena: Arena, expected: ExpectedRequest): DescribedRequest {
  const { method = 'POST', url = '/up', headers = [], body = '', version = '1.1' } = expected
  const { host, protocol } = arena.publicUrl
  const proto = protocol.slice(0, -1)
  const content = body === '' ? [] : ['content-type: application/json', `content-length: ${Buffer.byteLength(body)}`]
  const usual = [
    `host: 127.0.0.1:${arena.upstream.port}`,
    'connection: keep-alive',
    `via: ${version} open-mcp-auth-proxy`,
    'x-forwarded-for: 127.0.0.1',
    `x-forwarded-proto: ${proto}`,
    `x-forwarded-host: ${host}`,
    `forwarded: for=127.0.0.1;proto=${proto};host="${host}"`,
  ]
  const all = [...usual, ...content, ...headers.map(([name, value]) => `${name}: ${value}`)]
  return { method, url, headers: all.sort(), body }
}
