// MCP servers that answer with what breaks HTTP parsers: every case of llhttp, requests as well. Beside each, good calls go on.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { findFreePort } from '../support/free-port.ts'
import { startHostileUpstream } from '../support/hostile-upstream.ts'
import { startIssuer } from '../support/tokens.ts'
import { findVectors } from '../support/vectors.ts'
import { type Outcome, send } from './support/client.ts'
import { createCall } from './support/fleet/requests.ts'
import { type Replica, startReplica } from './support/replica.ts'
import { reportTarget } from './support/target.ts'

const folder = findVectors('llhttp')
const AT_ONCE = 8
const TIMEOUT_SECONDS = 1
/** The aim is the configured time; beyond it a call hangs. */
const HANGS_MS = 20_000
const ENDINGS = ['close', 'reset', 'keep'] as const

interface ToxicCase {
  readonly name: string
  readonly bytes: Buffer
  readonly ending: (typeof ENDINGS)[number]
}

/** The bytes of each block: one line in Markdown is one of HTTP, a backslash at its end joins it with the next, and escapes are bytes. */
function readBlocks(file: string): Buffer[] {
  return [...readFileSync(file, 'utf8').matchAll(/^```http\n([\s\S]*?)\n?```$/gm)].map(([, block = '']) => {
    const lines = block.replaceAll(/\\\n/g, '').replaceAll('\n', '\r\n')
    const named: Readonly<Record<string, string>> = { r: '\r', n: '\n', t: '\t', f: '\f' }
    const text = lines.replaceAll(/\\(?:x([0-9a-fA-F]{2})|([rntf]))/g, (_all, hex: string | undefined, name: string) =>
      hex === undefined ? (named[name] ?? '') : String.fromCharCode(Number.parseInt(hex, 16)),
    )
    return Buffer.from(text, 'latin1')
  })
}

function listCases(): ToxicCase[] {
  const files = readdirSync(folder ?? '', { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.md'))
  const blocks = files
    .sort()
    .flatMap((name) => readBlocks(join(folder ?? '', name)).map((bytes, i) => ({ name: `${name} ${i}`, bytes })))
  return ENDINGS.flatMap((ending) => blocks.map((block) => ({ ...block, ending })))
}

const bugs: string[] = []
let replica: Replica
let upstream: Awaited<ReturnType<typeof startHostileUpstream>>
let issuer: Awaited<ReturnType<typeof startIssuer>>
let headers: Readonly<Record<string, string>>

beforeAll(async () => {
  const port = await findFreePort()
  ;[issuer, upstream] = await Promise.all([startIssuer(), startHostileUpstream()])
  const server = {
    name: 'toxic',
    path: '/mcp',
    upstream: { url: `${upstream.origin}/mcp`, response_timeout_seconds: TIMEOUT_SECONDS },
  }
  const onLine = (line: string): void => {
    // A status 500 of the MCP server itself is passed on.
    if (line.includes('internal_error')) bugs.push(line)
  }
  const config = { public_url: `http://127.0.0.1:${port}`, listen: { port }, issuers: [issuer.issuer], servers: [server] }
  replica = startReplica({ ...config, limits: { stalled_client_seconds: TIMEOUT_SECONDS } }, { onLine })
  await replica.waitUntilReady()
  const token = await issuer.mint({ claims: { aud: `${replica.origin}/mcp` } })
  headers = { authorization: `Bearer ${token}`, accept: 'application/json, text/event-stream' }
})
afterAll(async () => {
  replica?.signal('SIGKILL')
  await replica?.exited
  await Promise.all([issuer?.close(), upstream?.close()])
})

const call = (id: string): Promise<Outcome> =>
  send(`${replica.origin}/mcp`, { headers, body: JSON.stringify(createCall(id, 'echo')), signal: AbortSignal.timeout(HANGS_MS) })

/** Answers each call with the case that its id names. */
function poison(cases: readonly ToxicCase[]): void {
  upstream.reactWith((socket, request) => {
    const { bytes, ending } = cases[Number(/"id":"case-(\d+)"/.exec(request)?.[1])] as ToxicCase
    socket.write(bytes)
    if (ending === 'close') socket.end()
    if (ending === 'reset') setImmediate(() => socket.resetAndDestroy())
  })
}

interface Tally {
  passed: number
  refused: number
  cut: number
  /** Good calls that were sent on a connection just as the MCP server reset it. */
  unlucky: number
  readonly wrong: string[]
  longestMs: number
}

async function tryCase({ name, ending }: ToxicCase, index: number, tally: Tally): Promise<void> {
  const [toxic, ...good] = await Promise.all([call(`case-${index}`), call(`good-${index}a`), call(`good-${index}b`)])
  tally.longestMs = Math.max(tally.longestMs, toxic.ms)
  const complain = (what: string): void => void tally.wrong.push(`${name}, ${ending}: ${what}`)
  if (toxic.ms >= HANGS_MS) complain('hangs')
  else if (!toxic.isComplete) tally.cut += 1
  else if (toxic.body.includes('"data":{"error":"')) tally.refused += 1
  else tally.passed += 1
  if (toxic.body.includes('internal_error')) complain(`${toxic.status} ${toxic.body}`)
  good.forEach(({ status, body }, at) => {
    const id = `good-${index}${at === 0 ? 'a' : 'b'}`
    if (ending !== 'keep' && isUnsent(status, body, id)) tally.unlucky += 1
    else if (status !== 200 || JSON.parse(body).id !== id) complain(`${id} got ${status} ${body}`)
  })
}

/**
 * An answer that is whole leaves a connection for the next call. Where its end comes after that call has been written, the proxy cannot know
 * whether the call was done, and must not send it again (RFC 9110 §9.2.2).
 */
function isUnsent(status: number, body: string, id: string): boolean {
  return status === 502 && body.includes('"upstream_unreachable"') && JSON.parse(body).id === id
}

it.skipIf(folder === undefined)('no answer of an MCP server breaks the proxy or another call', { timeout: 600_000 }, async () => {
  const cases = listCases()
  expect(cases.length).toBeGreaterThanOrEqual(251 * ENDINGS.length)
  poison(cases)
  const tally: Tally = { passed: 0, refused: 0, cut: 0, unlucky: 0, wrong: [], longestMs: 0 }
  let next = 0
  const work = async (): Promise<void> => {
    for (let index = next++; index < cases.length; index = next++) await tryCase(cases[index] as ToxicCase, index, tally)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  expect(tally.wrong).toEqual([])
  expect(tally.unlucky).toBeLessThanOrEqual(cases.length / 100)
  expect(bugs).toEqual([])
  expect((await call('good-end')).status).toBe(200)
  const { passed, refused, cut, unlucky, longestMs } = tally
  expect(refused).toBeGreaterThan(0)
  reportTarget(
    'R28',
    'no answer of an MCP server breaks the proxy or another call (aims: 0 crashes, 0 mix-ups, no call beyond its time)',
    {
      ...{
        cases: cases.length,
        passed,
        refused,
        cut,
        'good calls': 2 * cases.length,
        'sent as their connection ended': unlucky,
        'mixed up': 0,
      },
      ...{ 'longest call, ms': longestMs, 'of which wait for an answer': TIMEOUT_SECONDS * 1000 },
    },
  )
})
