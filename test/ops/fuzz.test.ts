// What comes from outside, with bytes changed at random: header sections, bodies, tokens, event streams of MCP servers and lines of processes.
// `FUZZ_SECONDS=3600 npm run test:ops -- fuzz` is the full length (R29); FUZZ_SEED repeats a run.
import { connect } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createDice, type Dice } from '../support/dice.ts'
import { findFreePort } from '../support/free-port.ts'
import { startHostileUpstream } from '../support/hostile-upstream.ts'
import { startIssuer } from '../support/tokens.ts'
import { send } from './support/client.ts'
import { createCall } from './support/fleet/requests.ts'
import { type Replica, startReplica } from './support/replica.ts'
import { reportTarget } from './support/target.ts'

const MILLISECONDS = Number(process.env.FUZZ_SECONDS ?? 5) * 1000
const SEED = process.env.FUZZ_SEED ?? String(Date.now())
const AT_ONCE = 8
/** Of one answer: an MCP server that never ends its stream is not what is looked for here. */
const PATIENCE_MS = 2000
/** Beside what a client may be told of an MCP server that fails. */
const NOT_OUR_BUGS = new Set([502, 503, 504])

/** Answers each line that is read with a changed one. */
const FUZZED_SERVER = `
const { createInterface } = require('node:readline')
let state = Number(process.env.FUZZ_STATE)
const roll = (sides) => (state = (state * 1103515245 + 12345) % 2147483648) % sides
createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method } = JSON.parse(line)
  if (id === undefined) return
  if (method === 'server/discover') {
    const error = { code: -32601, message: 'unknown' }
    return void process.stdout.write(JSON.stringify({ jsonrpc: '2.0', id, error }) + '\\n')
  }
  const opened = { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'fuzzed', version: '1' } }
  const result = method === 'initialize' ? opened : { content: [{ type: 'text', text: 'told' }] }
  const bytes = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id, result }))
  if (method !== 'initialize' && roll(4) > 0) for (let left = 1 + roll(4); left > 0; left--) bytes[roll(bytes.length)] = roll(256)
  process.stdout.write(Buffer.concat([bytes, Buffer.from('\\n')]))
})`

const internal: string[] = []
/** Changed tokens that were good for something. */
const accepted: string[] = []
let replica: Replica
let token: string
let upstream: Awaited<ReturnType<typeof startHostileUpstream>>
let issuer: Awaited<ReturnType<typeof startIssuer>>

beforeAll(async () => {
  const port = await findFreePort()
  ;[issuer, upstream] = await Promise.all([startIssuer(), startHostileUpstream()])
  const changing = { command: [process.execPath, '-e', FUZZED_SERVER], env: { FUZZ_STATE: String(createDice(SEED)(2 ** 30)) } }
  const config = {
    public_url: `http://127.0.0.1:${port}`,
    listen: { port },
    issuers: [issuer.issuer],
    servers: [
      { name: 'web', path: '/web', upstream: `${upstream.origin}/mcp` },
      { name: 'lines', path: '/lines', upstream: changing },
    ],
  }
  const onLine = (line: string) => {
    if (line.includes('"status":500') || line.includes('internal_error')) internal.push(line)
  }
  replica = startReplica(config as never, { onLine })
  await replica.waitUntilReady()
  token = await issuer.mint({ claims: { aud: [`${replica.origin}/web`, `${replica.origin}/lines`] } })
})
afterAll(async () => {
  replica?.signal('SIGKILL')
  await replica?.exited
  await Promise.all([issuer?.close(), upstream?.close()])
})

/** Bytes that mean something to the parsers, beside any. */
const TELLING = Buffer.from('\r\n\0"\\{}[],: \t;=%/\x7f\x80\xff')

function change(roll: Dice, text: string | Buffer): Buffer {
  let bytes = Buffer.from(text)
  for (let left = 1 + roll(4); left > 0; left -= 1) {
    const at = roll(bytes.length)
    const byte = roll(2) === 0 ? roll(256) : (TELLING[roll(TELLING.length)] ?? 0)
    if (roll(3) > 0) bytes[at] = byte
    else bytes = Buffer.concat([bytes.subarray(0, at), Buffer.alloc(roll(3), byte), bytes.subarray(at + roll(3))])
    if (bytes.length === 0) bytes = Buffer.from('x')
  }
  return bytes
}

/** Sends bytes as they are; the status of the answer, 0 without one. */
function sendRaw(bytes: Buffer): Promise<number> {
  return new Promise((resolve) => {
    const socket = connect(replica.port, '127.0.0.1', () => socket.write(bytes))
    let answer = ''
    const end = () => {
      socket.destroy()
      resolve(Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0))
    }
    socket.setTimeout(PATIENCE_MS, end)
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1')
      if (answer.includes('\r\n\r\n')) end()
    })
    socket.on('error', end).on('close', end)
  })
}

const body = (id: string) => JSON.stringify(createCall(id, 'echo', { text: 'é"\\u00e9', list: [1, -0.5e3, null, true] }))

function formatRequest(content: Buffer, authorization: string, path = '/web'): Buffer {
  const lines = [
    `POST ${path} HTTP/1.1`,
    `host: 127.0.0.1:${replica.port}`,
    'content-type: application/json',
    'accept: application/json, text/event-stream',
    'mcp-protocol-version: 2025-11-25',
    `authorization: Bearer ${authorization}`,
    `content-length: ${content.length}`,
  ]
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), content])
}

const EVENTS = 'id: 1\nevent: message\ndata: {"jsonrpc":"2.0","id":"ID","result":{"content":[]}}\n\n: comment\r\n\r\nretry: 5\n\n'

function answerChanged(roll: Dice): void {
  const head = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n'
  const isWhole = roll(3) === 0
  const pieces = isWhole ? [change(roll, head + EVENTS)] : [head, change(roll, EVENTS)]
  // An MCP server may answer 500, and its client is told so: that is no bug of the proxy.
  if (/^HTTP\/1\.\d\s*5/.test(String(pieces[0]))) return answerChanged(roll)
  upstream.reactWith({ pieces, ending: 'close' })
}

/** Without line ends, which would be another header field, and never the same: blanks around it are none of a token. */
function changeToken(roll: Dice): string {
  const changed = change(roll, token)
    .toString('latin1')
    .replaceAll(/[\r\n]/g, '')
  return changed.replaceAll(/^[ \t]+|[ \t]+$/g, '') === token ? changeToken(roll) : changed
}

const MODERN = '2026-07-28'
const META = {
  'io.modelcontextprotocol/protocolVersion': MODERN,
  'io.modelcontextprotocol/clientInfo': { name: 'fuzz', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
}

/** Without a session. */
function callProcess(id: string): Promise<number> {
  const content = Buffer.from(JSON.stringify(createCall(id, 'echo', {}, META)))
  const request = formatRequest(content, token, '/lines').toString()
  const fields = `mcp-protocol-version: ${MODERN}\r\nmcp-method: tools/call\r\nmcp-name: echo`
  return sendRaw(Buffer.from(request.replace('mcp-protocol-version: 2025-11-25', fields)))
}

const KINDS: Readonly<Record<string, (roll: Dice, id: string) => Promise<number>>> = {
  'header sections': (roll, id) => sendRaw(change(roll, formatRequest(Buffer.from(body(id)), token))),
  bodies: (roll, id) => sendRaw(formatRequest(change(roll, body(id)), token)),
  tokens: async (roll, id) => {
    const changed = changeToken(roll)
    const status = await sendRaw(formatRequest(Buffer.from(body(id)), changed))
    if (status !== 400 && status !== 401 && status !== 0) accepted.push(`${status}: ${changed}`)
    return status
  },
  'event streams': (roll, id) => {
    answerChanged(roll)
    return sendRaw(formatRequest(Buffer.from(body(id)), token))
  },
  'lines of a process': (_, id) => callProcess(id),
}

async function expectWell(): Promise<void> {
  const headers = { authorization: `Bearer ${token}`, accept: 'application/json, text/event-stream' }
  const { status } = await send(`${replica.origin}/web`, { headers, body: body('good-1') })
  expect({ seed: SEED, status, internal, accepted }).toEqual({ seed: SEED, status: 200, internal: [], accepted: [] })
}

it.each(Object.entries(KINDS))(
  'no changed byte of %s is a bug of the proxy',
  { timeout: MILLISECONDS + 60_000 },
  async (name, ask) => {
    const until = performance.now() + MILLISECONDS
    const statuses = new Map<number, number>()
    const run = async (_: unknown, lane: number): Promise<void> => {
      const roll = createDice(`${SEED} ${name} ${lane}`)
      for (let count = 0; performance.now() < until; count += 1) {
        const status = await ask(roll, `fuzz-${lane}-${count}`)
        statuses.set(status, (statuses.get(status) ?? 0) + 1)
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, run))
    const bugs = [...statuses].filter(([status]) => status >= 500 && !NOT_OUR_BUGS.has(status))
    expect({ seed: SEED, bugs }).toEqual({ seed: SEED, bugs: [] })
    await expectWell()
    const sent = [...statuses.values()].reduce((sum, count) => sum + count, 0)
    expect(sent).toBeGreaterThan(AT_ONCE)
    if (name === 'lines of a process') expect(statuses.get(200)).toBeGreaterThan(AT_ONCE)
    const found = Object.fromEntries([...statuses].sort().map(([status, count]) => [`status ${status}`, count]))
    reportTarget('R29', `no changed byte of ${name} is a bug of the proxy`, { sent, ...found })
  },
)
