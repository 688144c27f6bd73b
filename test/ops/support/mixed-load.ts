import { Agent, request } from 'node:http'
import { createDice } from '../../support/dice.ts'
import { type Outcome, send } from './client.ts'
import { createCall } from './fleet/requests.ts'
import { judge } from './fleet/verdict.ts'

/** What became of the requests of one kind. */
export interface MixedTally {
  sent: number
  right: number
  /** Of the first that were not answered as they should be. */
  readonly complaints: string[]
}

export interface MixedLoad {
  readonly tallies: Readonly<Record<string, MixedTally>>
  countSent(): number
  /** Sends no more; resolves when every request has come to an end. */
  stop(): Promise<void>
}

export interface MixedLoadOptions {
  /** Of the server whose answers are JSON, come late or come as events (`mirror-server.ts`). */
  readonly url: string
  /** Of a server that cannot be reached. */
  readonly awayUrl: string
  readonly token: string
  /** Whom the answers are for. */
  readonly subject: string
  readonly perSecond: number
}

/** What is sent, and how often in twenty. */
const MIX: readonly (readonly [times: number, kind: string, ask: (asking: Asking) => Promise<string | undefined>])[] = [
  [10, 'JSON', (asking) => call(asking, 'echo')],
  [3, 'event streams', (asking) => call(asking, 'stream')],
  [1, 'bad tokens', (asking) => expectStatus(asking, 401, { token: `${asking.token}x` })],
  [1, 'bad bodies', (asking) => expectStatus(asking, 400, { body: '{"jsonrpc":"2.0","id":1,"id":2}' })],
  [1, 'servers that are away', (asking) => expectAway(asking)],
  [2, 'aborted calls', (asking) => abort(asking, 'slow')],
  [2, 'aborted streams', (asking) => abort(asking, 'stream')],
]
const KINDS = MIX.flatMap(([times, kind, ask]) => Array.from({ length: times }, () => ({ kind, ask })))
const TICK_MS = 5
const MAX_COMPLAINTS = 5
/** A machine that cannot keep up with the rate gets less. */
const MAX_PENDING = 300
/** In the midst of an answer of `slow`, and of the events of `stream`. */
const ABORT_AFTER_MS = 60

interface Asking extends MixedLoadOptions {
  readonly agent: Agent
  readonly id: string
}

/** Sends a mix of requests at a fixed rate, as far as the machine keeps up: calls, event streams, errors, and what clients give up. */
export function startMixedLoad(options: MixedLoadOptions): MixedLoad {
  const agent = new Agent({ keepAlive: true, maxSockets: 50, scheduling: 'fifo' })
  const tallies: Record<string, MixedTally> = {}
  for (const [, kind] of MIX) tallies[kind] = { sent: 0, right: 0, complaints: [] }
  const pending = new Set<Promise<void>>()
  const roll = createDice('mixed load')
  const startedAt = performance.now()
  let sent = 0
  let skipped = 0
  const sendOne = (): void => {
    const { kind, ask } = KINDS[roll(KINDS.length)] as (typeof KINDS)[number]
    const asked = ask({ ...options, agent, id: `mixed-${++sent}` }).then((complaint) => note(tallies[kind], complaint))
    pending.add(asked)
    void asked.finally(() => pending.delete(asked))
  }
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - startedAt) / 1000) * options.perSecond)
    while (sent + skipped < due && pending.size < MAX_PENDING) sendOne()
    skipped = Math.max(skipped, due - sent)
  }, TICK_MS)
  return {
    tallies,
    countSent: () => sent,
    async stop() {
      clearInterval(timer)
      await Promise.all(pending)
      agent.destroy()
    },
  }
}

function note(tally: MixedTally | undefined, complaint: string | undefined): void {
  if (tally === undefined) return
  tally.sent += 1
  if (complaint === undefined) tally.right += 1
  else if (tally.complaints.length < MAX_COMPLAINTS) tally.complaints.push(complaint)
}

const headersOf = (token: string) => ({
  authorization: `Bearer ${token}`,
  accept: 'application/json, text/event-stream',
  'mcp-protocol-version': '2025-11-25',
})

const formatCall = (id: string, name: string): string => JSON.stringify(createCall(id, name, { nonce: id }))

/** @returns what is wrong with the answer */
async function call({ url, token, subject, agent, id }: Asking, name: string): Promise<string | undefined> {
  const outcome = await send(url, { agent, headers: headersOf(token), body: formatCall(id, name) })
  const verdict = judge(outcome, new Map([[id, `${subject} ${id}`]]))
  return verdict === 'right' ? undefined : describe(id, outcome)
}

function describe(id: string, { status, body, isComplete }: Outcome): string {
  return `${id}: ${status}${isComplete ? '' : ', cut'} ${body.slice(0, 200)}`
}

interface Differing {
  readonly url?: string
  readonly token?: string
  readonly body?: string
}

async function expectStatus(asking: Asking, expected: number, differing: Differing): Promise<string | undefined> {
  const { url, token, body } = { url: asking.url, token: asking.token, body: formatCall(asking.id, 'echo'), ...differing }
  const outcome = await send(url, { agent: asking.agent, headers: headersOf(token), body })
  return outcome.status === expected && outcome.isComplete ? undefined : describe(asking.id, outcome)
}

/** Refused at once while the circuit is open. */
async function expectAway({ awayUrl, token, agent, id }: Asking): Promise<string | undefined> {
  const outcome = await send(awayUrl, { agent, headers: headersOf(token), body: formatCall(id, 'echo') })
  const isRefused = (outcome.status === 502 || outcome.status === 503) && outcome.isComplete && outcome.body.includes(`"${id}"`)
  return isRefused ? undefined : describe(id, outcome)
}

/** On a connection of its own, which is cut in the midst of the answer; one that was not cut was refused. */
function abort({ url, token, id }: Asking, name: string): Promise<string | undefined> {
  const body = formatCall(id, name)
  return new Promise((resolve) => {
    const headers = { ...headersOf(token), 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) }
    let status = 200
    const asked = request(url, { method: 'POST', agent: false, headers }, (response) => {
      status = response.statusCode ?? 0
      response.on('error', () => undefined)
      response.resume()
    })
    asked.on('error', () => undefined)
    asked.once('close', () => resolve(status === 200 ? undefined : `${id}: ${status}`))
    asked.end(body)
    setTimeout(() => asked.destroy(), ABORT_AFTER_MS)
  })
}
