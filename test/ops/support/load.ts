import { Agent, type IncomingMessage, request } from 'node:http'

export interface LoadOptions {
  /** Where calls go, for example `http://127.0.0.1:8080/mcp`. */
  readonly url: string
  readonly perSecond: number
  readonly headers: Readonly<Record<string, string>>
  /** Number of calls after which no more are sent. */
  readonly total?: number
  /** Connections that are kept alive. */
  readonly connections?: number
}

/** What became of each call. `right` is its own answer with its own id; `refused` an answer that says so with its id. */
export interface LoadReport {
  sent: number
  right: number
  refused: number
  /** No complete answer came. */
  lost: number
  /** An answer that is not the call's own, or no JSON-RPC. */
  wrong: number
  /** Of the first calls that were not answered right. */
  readonly complaints: string[]
  /** Milliseconds until the answer, of those answered right, with the moment they were sent (`performance.now()`). */
  readonly times: { readonly sentAt: number; readonly ms: number }[]
}

export interface Load {
  readonly report: LoadReport
  /** Sends no more; resolves when every call that was sent has come to an end. */
  stop(): Promise<LoadReport>
}

const TICK_MS = 5
const MAX_COMPLAINTS = 10

let loads = 0

/** Calls a tool at a fixed rate, however slow the answers are, and never repeats a call. */
export function startLoad(options: LoadOptions): Load {
  const agent = new Agent({ keepAlive: true, maxSockets: options.connections ?? 50, scheduling: 'fifo' })
  const report: LoadReport = { sent: 0, right: 0, refused: 0, lost: 0, wrong: 0, complaints: [], times: [] }
  const pending = new Set<Promise<void>>()
  const name = `load${++loads}`
  const startedAt = performance.now()
  const timer = setInterval(() => {
    const planned = Math.floor(((performance.now() - startedAt) / 1000) * options.perSecond)
    const due = Math.min(planned, options.total ?? planned)
    while (report.sent < due) {
      report.sent += 1
      const call = sendCall(options, agent, `${name}-${report.sent}`, report)
      pending.add(call)
      void call.then(() => pending.delete(call))
    }
  }, TICK_MS)
  return {
    report,
    async stop() {
      clearInterval(timer)
      await Promise.all(pending)
      agent.destroy()
      return report
    },
  }
}

async function sendCall(options: LoadOptions, agent: Agent, nonce: string, report: LoadReport): Promise<void> {
  const sentAt = performance.now()
  try {
    const { status, body } = await post(options, agent, nonce)
    const verdict = judge(status, body, nonce)
    report[verdict] += 1
    if (verdict === 'right') report.times.push({ sentAt, ms: performance.now() - sentAt })
    else complain(report, `${nonce}: ${status} ${body.slice(0, 200)}`)
  } catch (error) {
    report.lost += 1
    complain(report, `${nonce}: ${String(error)}`)
  }
}

function complain({ complaints }: LoadReport, complaint: string): void {
  if (complaints.length < MAX_COMPLAINTS) complaints.push(complaint)
}

function post(options: LoadOptions, agent: Agent, nonce: string): Promise<{ status: number; body: string }> {
  const body = JSON.stringify({
    jsonrpc: '2.0',
    id: nonce,
    method: 'tools/call',
    params: { name: 'echo', arguments: { nonce } },
  })
  const headers = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'content-length': String(Buffer.byteLength(body)),
    ...options.headers,
  }
  return new Promise((resolve, reject) => {
    const sent = request(options.url, { method: 'POST', agent, headers }, (response) => {
      void readText(response).then((text) => resolve({ status: response.statusCode ?? 0, body: text }), reject)
    })
    sent.once('error', reject)
    sent.setTimeout(30_000, () => sent.destroy(new Error('no answer in 30 s')))
    sent.end(body)
  })
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk)
  if (!response.complete) throw new Error('the answer was cut')
  return String(Buffer.concat(chunks))
}

function judge(status: number, body: string, nonce: string): 'right' | 'refused' | 'wrong' {
  const message = parseMessage(body)
  if (message?.id !== nonce) return 'wrong'
  if (status === 200) return message.result?.content?.[0]?.text === nonce ? 'right' : 'wrong'
  return status >= 400 && message.error !== undefined ? 'refused' : 'wrong'
}

interface AnswerMessage {
  readonly id?: unknown
  readonly error?: unknown
  readonly result?: { readonly content?: readonly { readonly text?: string }[] }
}

function parseMessage(body: string): AnswerMessage | undefined {
  try {
    return JSON.parse(body) as AnswerMessage
  } catch {
    return undefined
  }
}

/** The value below which this share of the sorted values lies. */
export function findPercentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}
