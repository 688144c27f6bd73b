import type { Journal } from './journal.ts'
import { type Caller, createCall, sendAs } from './requests.ts'
import type { Verdict } from './verdict.ts'

/** What one user does again and again. */
export type Player = (caller: Caller, journal: Journal, isOver: () => boolean) => Promise<void>

let made = 0
/** An id that no other request has. */
export const nextId = (): string => `call-${++made}`

/** A call of the server behind `/tickets`: its answer is JSON, comes late or comes as events. */
const callTickets =
  (name: 'echo' | 'slow' | 'stream'): Player =>
  async (caller, journal) => {
    const nonce = nextId()
    const outcome = await sendAs(caller, '/tickets', { body: createCall(nonce, name, { nonce }) })
    journal.note(name, outcome, new Map([[nonce, `${caller.user} ${nonce}`]]))
  }

const BATCH = 4

/** Calls in one request, as 2025-03-26 has them. */
const callInBatch: Player = async (caller, journal) => {
  const nonces = Array.from({ length: BATCH }, nextId)
  const body = nonces.map((nonce) => createCall(nonce, 'echo', { nonce }))
  const outcome = await sendAs(caller, '/tickets', { body, headers: { 'mcp-protocol-version': '2025-03-26' } })
  journal.note('batch', outcome, new Map(nonces.map((nonce) => [nonce, `${caller.user} ${nonce}`])))
}

/** A call without permission: an answer would be wrong. */
const callUnauthorized: Player = async (caller, journal) => {
  const nonce = nextId()
  const token = `${await caller.findToken('/tickets')}x`
  const outcome = await sendAs(caller, '/tickets', { body: createCall(nonce, 'echo', { nonce: `unauthorized ${nonce}` }), token })
  // 401 is what such a call is to be answered with.
  journal.note('unauthorized', outcome, outcome.status === 401 && outcome.isComplete ? 'right' : judgeRefusal(outcome))
}

/** Not served for another reason: 408 says that the request may be repeated (RFC 9110 §15.5.9). A replica that went on after a while may say so. */
const NOT_SERVED: ReadonlySet<number> = new Set([408, 502, 503, 504])

function judgeRefusal({ status, isComplete }: { status: number; isComplete: boolean }): Verdict {
  if (!isComplete) return 'broken'
  return NOT_SERVED.has(status) ? 'refused' : 'wrong'
}

const REVISION = '2026-07-28'

/** A call of the process behind `/files` by a client of 2026-07-28, which has no session. */
const callModern: Player = async (caller, journal) => {
  const nonce = nextId()
  const meta = {
    'io.modelcontextprotocol/protocolVersion': REVISION,
    'io.modelcontextprotocol/clientInfo': { name: 'modern', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': {},
  }
  const text = `${caller.user} ${nonce}`
  const headers = { 'mcp-protocol-version': REVISION, 'mcp-method': 'tools/call', 'mcp-name': 'echo' }
  const outcome = await sendAs(caller, '/files', { body: createCall(nonce, 'echo', { text }, meta), headers })
  journal.note('modern', outcome, new Map([[nonce, text]]))
}

/** What users of HTTP upstreams and of stateless revisions do. */
export const STATELESS: readonly Player[] = [
  callTickets('echo'),
  callTickets('stream'),
  callTickets('slow'),
  callInBatch,
  callUnauthorized,
  callModern,
]
