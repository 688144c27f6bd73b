import { hash } from 'node:crypto'
import { formatRequest } from '../src/audit/request-record.ts'
import { systemClock } from '../src/core/clock.ts'
import type { TokenVerifier, Upstream } from '../src/core/ports.ts'
import type { RequestRecord } from '../src/core/record.ts'
import type { Reply } from '../src/core/reply.ts'
import { cutSpans } from '../src/mcp/call-arguments.ts'
import { parseMessages } from '../src/mcp/messages.ts'
import { createMeters } from '../src/metrics/meters.ts'
import { createRequestLog } from '../src/telemetry/request-line.ts'
import { callTool, createPrincipal } from '../test/support/policies.ts'
import { calledTool } from './plan.ts'
import { formatCall } from './workload.ts'

/** What watching one call costs, part by part: processor time, the least of nine. A whole call takes some forty microseconds. */

const TIMES = 100_000

const principal = createPrincipal()
const operation = callTool(calledTool)
const outcome = { operation, decision: { effect: 'permit' }, argumentsDigest: 'a'.repeat(64) }
const record = {
  requestId: 'fb0d6b58-1f5c-4a6a-8c0b-2f1f5a1d3c11',
  ...{ method: 'POST', path: '/mcp', server: 'bench', revision: '2025-11-25', status: 200, decision: 'permit', duration: 1.25 },
  ...{
    startedAt: 0,
    operations: [operation],
    outcomes: [outcome],
    principal,
    clientAddress: '127.0.0.1',
    remoteAddress: '127.0.0.1',
  },
} as unknown as RequestRecord
const reply = { start() {}, end() {}, onDone() {} } as unknown as Reply
const plainVerifier: TokenVerifier = { verify: () => principal, recall: () => principal }
const plainUpstream = {
  send(_call: unknown, to: Reply) {
    to.start(200, { 'content-type': 'application/json' })
    to.end()
  },
} as unknown as Upstream

const meters = createMeters(systemClock, false)
const verifier = meters.measureVerifier(plainVerifier, 'bench')
const upstream = meters.measureUpstream(plainUpstream, 'bench')
const call = { requestId: record.requestId } as Parameters<Upstream['send']>[0]
const body = formatCall(1)
const { argumentSpans } = parseMessages(body, { jsonDepth: 128, batchMembers: 50 })
const writeLog = createRequestLog({ logger: { isLevelEnabled: () => true }, writeLine: keep } as never)

/** Written in pieces, as the log and the audit are: a string is put together when it is read. */
let lines: string[] = []
function keep(line: string): void {
  lines.push(line)
  if (lines.length < 100) return
  Buffer.from(lines.join('\n'))
  lines = []
}

const parts: readonly (readonly [what: string, run: () => void])[] = [
  ['metrics: the request', () => meters.observe(record)],
  ['metrics: its token', () => void verifier.recall?.('a token')],
  ['metrics: the MCP server', () => upstream.send(call, reply)],
  ['audit: digest of the arguments', () => void hash('sha256', cutSpans(body, argumentSpans)[0] ?? '')],
  ['audit: the record', () => keep(formatRequest(record, systemClock))],
  ['for comparison, the line of the log', () => writeLog(record)],
]
for (const [what, run] of parts) console.log(`${what}: ${measure(run).toFixed(2)} µs`)
meters.close()

function measure(run: () => void): number {
  const rounds = Array.from({ length: 9 }, () => {
    const before = process.cpuUsage()
    for (let i = 0; i < TIMES; i++) run()
    const { user, system } = process.cpuUsage(before)
    return (user + system) / TIMES
  })
  return Math.min(...rounds)
}
