import { expect } from 'vitest'
import type { ConfigInput } from '../../src/config/schema/schema.ts'
import { type Arena, checkAttack, repeatId } from './attack.ts'
import { findSecrets } from './log.ts'
import { startTestProxy } from './proxy.ts'
import type { RawResponse } from './raw-client.ts'
import { type Answer, type RecordedRequest, startRecordingUpstream } from './recording-upstream.ts'
import { startIssuer, type TestIssuer } from './tokens.ts'

type ServerInput = ConfigInput['servers'][number]

/** What servers and issuers of a configuration are told about the addresses. */
export interface StageAddresses {
  /** Origin of the upstream. */
  readonly upstream: string
  /** Issuer identifiers. */
  readonly issuers: readonly string[]
}

export interface StageOptions {
  /** Default: one server at `/mcp` with the base scope `mcp:tools` and a rule about the tool `drop_db`. */
  readonly servers?: (addresses: StageAddresses) => readonly ServerInput[]
  /** Members of the default server beside or instead of the usual ones. */
  readonly server?: Partial<ServerInput>
  readonly config?: Partial<Omit<ConfigInput, 'servers' | 'listen' | 'public_url' | 'issuers'>>
  /** Members of every issuer beside its identifier. */
  readonly issuer?: Readonly<Record<string, unknown>>
  /** How many issuers there are. Default: one. */
  readonly issuers?: number
  readonly answer?: Answer
  readonly env?: Readonly<Record<string, string>>
}

/** An {@link Arena} with parts that a test can change while it runs. */
export interface Stage extends Arena {
  readonly issuers: readonly TestIssuer[]
  /** Mints a token and has the log watched for it. */
  mint(claims?: Record<string, unknown>, issuer?: TestIssuer): Promise<string>
  /** How the upstream answers from now on; requests that show that the proxy still serves get their own answer all the same. */
  answerWith(answer: Answer): void
}

/** Every server of a stage accepts this audience. */
export const audience = 'https://mcp.example.com/mcp'

/** Starts issuers, an upstream and a proxy between them. */
export async function startStage(options: StageOptions = {}): Promise<Stage> {
  let answer = options.answer ?? repeatId
  const upstream = await startRecordingUpstream(async (request, response) => {
    const chosen = answer
    await (isProof(await readStart(request)) ? repeatId : chosen)(request, response)
  })
  const issuers = await Promise.all(Array.from({ length: options.issuers ?? 1 }, () => startIssuer({ audience })))
  const addresses = { upstream: upstream.origin, issuers: issuers.map(({ issuer }) => issuer) }
  const proxy = await startTestProxy(
    {
      issuers: addresses.issuers.map((issuer) => ({ issuer, ...options.issuer })),
      servers: [...(options.servers?.(addresses) ?? [createServer(addresses, options.server)])],
      ...options.config,
    },
    options.env,
  )
  const secrets: string[] = []
  const mint = async (claims: Record<string, unknown> = {}, issuer = issuers[0]): Promise<string> => {
    const token = (await issuer?.mint({ claims })) ?? ''
    secrets.push(token)
    return token
  }
  const [issuer] = issuers as [TestIssuer]
  return {
    proxy,
    upstream,
    issuer,
    issuers,
    publicUrl: new URL(proxy.origin),
    token: await mint(),
    secrets,
    mint,
    answerWith: (next) => {
      answer = next
    },
    async close() {
      await Promise.all([proxy.close(), upstream.close(), ...issuers.map((one) => one.close())])
      checkLog(proxy.log.text(), secrets)
    },
  }
}

/** The default server. */
export function createServer({ upstream }: StageAddresses, more: Partial<ServerInput> = {}): ServerInput {
  return {
    path: '/mcp',
    upstream: `${upstream}/up`,
    audience: [audience],
    scopes: ['mcp:tools'],
    rules: [{ tool: 'drop_db', scopes: ['db:admin'] }],
    ...more,
  }
}

/** A body that breaks off is nobody's proof. */
function readStart(request: RecordedRequest): Promise<string> {
  if (request.method !== 'POST') return Promise.resolve('')
  return request.body.then(
    (body) => body.toString('latin1'),
    () => '',
  )
}

/** See `checkServes`. */
function isProof(body: string): boolean {
  return body.startsWith('{"jsonrpc":"2.0","id":"good-')
}

/** Control characters, line separators, and what turns the direction of writing: a terminal or a viewer would obey them. */
const obeyed = /[^\P{Cc}\n]|[\u2028\u2029\u202a-\u202e\u2066-\u2069]/u

function checkLog(text: string, secrets: readonly string[]): void {
  expect(findSecrets(text, secrets), 'secrets in the log').toEqual([])
  expect(text, 'unescaped characters in the log').not.toMatch(obeyed)
  expect(text, 'a bug').not.toContain('"code":"internal_error"')
  for (const line of text.split('\n')) if (line !== '') JSON.parse(line)
}

type Pairs = readonly (readonly [name: string, value: string])[]

/** A request of an MCP client, put together without any check. */
export interface Attempt {
  /** Default: POST. */
  readonly method?: string
  /** Default: `/mcp`. */
  readonly target?: string
  /** Beside `Host`, `Authorization`, and for a body its type and length. */
  readonly headers?: Pairs
  /** Strings and bytes are sent as they are, anything else as JSON. */
  readonly body?: unknown
  /** Default: the stage's token; `undefined` sends none. */
  readonly token?: string | undefined
}

/** What has to come of it. */
export interface Outcome {
  readonly status: number
  /** `data.error` of the JSON-RPC error. */
  readonly code?: string
  /** `code` of the JSON-RPC error. */
  readonly rpc?: number
  /** `id` of the JSON-RPC error, or of each error of a batch; undefined where there must be none. */
  readonly id?: unknown
  readonly scope?: string
  /** Whether the upstream has to see the request; what it sees is compared in full. Default: if the status is below 300. */
  readonly arrives?: boolean
  /** URL at the upstream. Default: `/up`. */
  readonly url?: string
  /** Headers that must arrive. Default: those that were sent. */
  readonly headers?: Pairs
}

/** Sends a request and checks it four ways, as {@link checkAttack} has it. */
export async function checkAttempt(stage: Stage, attempt: Attempt, outcome: Outcome): Promise<RawResponse> {
  const { method = 'POST', headers = [] } = attempt
  const body = formatBody(attempt.body)
  const { status, code, rpc, scope, url } = outcome
  const arrives = outcome.arrives ?? status < 300
  const sent = (outcome.headers ?? headers).map(([name, value]) => [name.toLowerCase(), value] as const)
  const answer = await checkAttack(stage, formatAttempt(stage, attempt), {
    status,
    ...(code === undefined ? {} : { code }),
    ...(scope === undefined ? {} : { scope }),
    ...(arrives
      ? { upstream: { method, body: body?.toString() ?? '', headers: sent, ...(url === undefined ? {} : { url }) } }
      : {}),
  })
  if (answer === undefined) throw new Error('no answer')
  if (rpc !== undefined || 'id' in outcome) checkError(answer, outcome)
  return answer
}

function checkError(answer: RawResponse, outcome: Outcome): void {
  const { rpc, id } = outcome
  const parsed = JSON.parse(answer.body.toString()) as Refusal | Refusal[]
  const refusals = [parsed].flat()
  if (rpc !== undefined) for (const { error } of refusals) expect(error.code).toBe(rpc)
  if ('id' in outcome) expect(Array.isArray(parsed) ? refusals.map((refusal) => refusal.id) : parsed.id).toEqual(id)
}

interface Refusal {
  readonly id: unknown
  readonly error: { readonly code: number; readonly data: { readonly error: string } }
}

/** The exact bytes of an attempt. */
export function formatAttempt(stage: Stage, attempt: Attempt): Buffer {
  const { method = 'POST', target = '/mcp', headers = [] } = attempt
  const token = 'token' in attempt ? attempt.token : stage.token
  const body = formatBody(attempt.body)
  const given = new Set(headers.map(([name]) => name.toLowerCase()))
  const usual: [string, string][] = [['Host', `localhost:${stage.proxy.port}`]]
  if (token !== undefined) usual.push(['Authorization', `Bearer ${token}`])
  if (body !== undefined) usual.push(['Content-Type', 'application/json'], ['Content-Length', String(body.length)])
  const fields = [...usual.filter(([name]) => !given.has(name.toLowerCase())), ...headers]
  const head = [`${method} ${target} HTTP/1.1`, ...fields.map(([name, value]) => `${name}: ${value}`), '', ''].join('\r\n')
  return Buffer.concat([Buffer.from(head), body ?? Buffer.alloc(0)])
}

function formatBody(body: unknown): Buffer | undefined {
  if (body === undefined || Buffer.isBuffer(body)) return body
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
}

/** A JSON-RPC request. */
export function createCall(method: string, params?: unknown, id: unknown = 1): Record<string, unknown> {
  return { jsonrpc: '2.0', id, method, ...(params === undefined ? {} : { params }) }
}

/** A JSON-RPC notification. */
export function createNotification(method: string, params: unknown): Record<string, unknown> {
  return { jsonrpc: '2.0', method, params }
}

const modern = '2026-07-28'

/** A request of 2026-07-28 with its headers. */
export function createModern(method: string, params: Record<string, unknown> = {}, id: unknown = 1): Attempt {
  const name = params.name ?? params.uri
  const isNamed = ['tools/call', 'prompts/get', 'resources/read'].includes(method) && typeof name === 'string'
  return {
    headers: [['MCP-Protocol-Version', modern], ['Mcp-Method', method], ...(isNamed ? [['Mcp-Name', name] as const] : [])],
    body: createCall(method, { ...params, _meta: { 'io.modelcontextprotocol/protocolVersion': modern } }, id),
  }
}
