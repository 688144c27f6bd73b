import { expect } from 'vitest'
import type { ConfigInput } from '../../src/config/schema/schema.ts'
import { type RawResponse, sendRaw } from './raw-client.ts'
import { audience, type Stage, startStage } from './stage.ts'

/** What a request comes to: that it reaches the MCP server, or how it is answered instead. */
export type Outcome =
  | 'served'
  /** The same for what has no answer: 202. */
  | 'passed'
  /** Served, and the log tells what rules in shadow mode would have done. */
  | `would deny ${string}`
  /** What MCP servers answer for a name that does not exist: one error for each request. */
  | { readonly hidden: readonly unknown[]; readonly status?: number }
  /** Taken in silently: what is hidden was a notification. */
  | 'dropped'
  /** 403 without a challenge, with the reason that callers are told. */
  | 'refused'
  | `refused: ${string}`
  /** 403 with a challenge for these scopes. */
  | `needs ${string}`
  /** A status and an error code: refused before policy, or because it can be read in several ways. */
  | `${number} ${string}`

export interface Sending {
  readonly method?: string
  readonly target: string
  /** Undefined: no Authorization header. */
  readonly token: string | undefined
  readonly headers?: readonly string[]
  readonly body?: string
  /** What reaches the MCP server when it is served. Default: the body. */
  readonly forwarded?: string
}

/** A proxy with servers whose rules and entries a table of cases is about. */
export interface PolicyStage extends Stage {
  /** A token with these claims, minted once. */
  tokenFor(claims: Readonly<Record<string, unknown>>): Promise<string>
  /** Sends a request and checks its answer, and whether it reached the MCP server. */
  checkOutcome(sending: Sending, outcome: Outcome): Promise<RawResponse>
}

/** A server of the configuration without what every one has here; `sse` is the path of its event stream. */
type PolicyServer = Partial<Omit<ConfigInput['servers'][number], 'sse'>> & { readonly sse?: string }

/** @param servers - what each path says of who may do what */
export async function startPolicyStage(
  servers: Readonly<Record<string, PolicyServer>>,
  config: Partial<Pick<ConfigInput, 'access' | 'access_mode' | 'limits'>> = {},
): Promise<PolicyStage> {
  const stage = await startStage({
    servers: ({ upstream }) =>
      Object.entries(servers).map(([path, { sse, ...server }]) => ({
        path,
        upstream: `${upstream}/up`,
        audience: [audience],
        scopes: [],
        ...(sse !== undefined && { sse: { path: sse, upstream: `${upstream}/sse` } }),
        ...server,
      })),
    config,
  })
  const tokens = new Map<object, Promise<string>>()
  return {
    ...stage,
    tokenFor: (claims) => {
      const token = tokens.get(claims) ?? stage.mint(claims)
      tokens.set(claims, token)
      return token
    },
    checkOutcome: (sending, outcome) => checkOutcome(stage, sending, outcome),
  }
}

async function checkOutcome(stage: Stage, sending: Sending, outcome: Outcome): Promise<RawResponse> {
  const before = { requests: stage.upstream.requests.length, log: stage.proxy.log.text().length }
  const answer = await sendRaw(stage.proxy.port, formatSending(stage, sending))
  const isServed =
    outcome === 'served' || outcome === 'passed' || (typeof outcome === 'string' && outcome.startsWith('would deny '))
  const arrived = stage.upstream.requests.slice(before.requests)
  const bodies = await Promise.all(arrived.map(async ({ body }) => (await body).toString('utf8')))
  expect(bodies, describeAnswer(answer)).toEqual(isServed ? [sending.forwarded ?? sending.body ?? ''] : [])
  checkAnswer(answer, outcome)
  await checkLog(stage, before.log, outcome)
  return answer
}

const describeAnswer = ({ status, body }: RawResponse): string => `${status} ${body.toString('utf8')}`

function formatSending({ proxy }: Stage, { method = 'POST', target, token, headers = [], body }: Sending): string {
  const lines = [
    `${method} ${target} HTTP/1.1`,
    `Host: localhost:${proxy.port}`,
    ...(token === undefined ? [] : [`Authorization: Bearer ${token}`]),
    ...(body === undefined ? [] : [`Content-Length: ${Buffer.byteLength(body)}`]),
    ...(body === undefined || headers.some((line) => line.startsWith('Content-Type')) ? [] : ['Content-Type: application/json']),
    ...headers,
  ]
  return `${lines.join('\r\n')}\r\n\r\n${body ?? ''}`
}

function checkAnswer(answer: RawResponse, outcome: Outcome): void {
  const text = answer.body.toString('utf8')
  const challenge = answer.header('www-authenticate')
  if (typeof outcome === 'object') {
    expect({ status: answer.status, errors: [JSON.parse(text)].flat() }).toEqual({
      status: outcome.status ?? 200,
      errors: outcome.hidden.map((error) => expect.objectContaining({ jsonrpc: '2.0', ...(error as object) })),
    })
    expect(challenge).toBeUndefined()
    return
  }
  const [word = '', rest] = split(outcome)
  if (outcome === 'served' || word === 'would') expect(answer.status, text).toBe(200)
  else if (outcome === 'dropped' || outcome === 'passed') expect([answer.status, text, challenge]).toEqual([202, '', undefined])
  else checkRefusal(answer, word, rest)
}

function split(outcome: string): [word: string, rest: string] {
  const [word = '', ...rest] = outcome.split(' ')
  return [word, rest.join(' ')]
}

function checkRefusal(answer: RawResponse, word: string, rest: string): void {
  const text = answer.body.toString('utf8')
  const errors: { error: { message: string; data: { error: string; reason?: string } } }[] = [JSON.parse(text)].flat()
  const challenge = answer.header('www-authenticate')
  const code = word === 'needs' ? 'scope_insufficient' : word.startsWith('refused') ? 'policy_denied' : rest
  for (const { error } of errors) {
    expect(error.data.error, text).toBe(code)
    expect(error.data.reason, text).toBe(word === 'refused:' ? rest : undefined)
    if (code === 'policy_denied')
      expect(error.message).toBe(`This operation is not permitted${word === 'refused:' ? `: ${rest}` : ''}`)
  }
  expect(answer.status, text).toBe(Number.isNaN(Number(word)) ? 403 : Number(word))
  if (word === 'needs') {
    expect(challenge).toContain('error="insufficient_scope"')
    expect(/ scope="([^"]*)"/.exec(challenge ?? '')?.[1]).toBe(rest)
  } else if (answer.status !== 401) expect(challenge).toBeUndefined()
}

/** The log line of a request that shadow rules would have refused says so. */
async function checkLog({ proxy: { log } }: Stage, since: number, outcome: Outcome): Promise<void> {
  const told = typeof outcome === 'string' && outcome.startsWith('would deny ') ? outcome.slice('would deny '.length) : undefined
  if (outcome === 'served') expect(log.text().slice(since)).not.toContain('would_deny')
  if (told === undefined) return
  await log.waitFor(() => log.text().slice(since).includes('would_deny'))
  const [line] = log
    .records()
    .filter((record) => record.would_deny !== undefined)
    .slice(-1)
  expect(JSON.stringify(line?.would_deny)).toContain(told)
}
