import type { Outcome } from '../client.ts'
import type { Journal } from './journal.ts'
import { nextId, type Player } from './players.ts'
import { type Caller, createCall, sendAs } from './requests.ts'
import { readEvents, type Verdict } from './verdict.ts'

const REVISION = '2025-11-25'
const CALLS_OF_SESSION = 20

interface Session {
  readonly id: string
  /** Of the process that it has to itself. */
  readonly pid: string
}

/** Which user each process of an open session belongs to. */
const owners = new Map<string, string>()

/**
 * A user of the process behind `/files` who opens an MCP session, calls it many times, and ends it. After a 404 a new one is opened, as the
 * specification asks of clients (2025-11-25, basic/transports, Session Management).
 */
export const useSession: Player = async (caller, journal, isOver) => {
  const session = await openSession(caller, journal)
  if (session === undefined) return
  owners.set(session.pid, caller.user)
  for (let calls = 0; calls < CALLS_OF_SESSION && !isOver(); calls += 1) {
    await caller.pause()
    const { status } = await callSession(caller, journal, session)
    if (status === 404) break
  }
  owners.delete(session.pid)
  const ended = await sendAs(caller, '/files', { method: 'DELETE', headers: headersOf(session.id) })
  journal.note('session end', ended, judgeEnd(ended))
}

function headersOf(session: string): Record<string, string> {
  return { 'mcp-session-id': session, 'mcp-protocol-version': REVISION }
}

async function openSession(caller: Caller, journal: Journal): Promise<Session | undefined> {
  const id = nextId()
  const params = { protocolVersion: REVISION, capabilities: {}, clientInfo: { name: 'session', version: '1' } }
  const outcome = await sendAs(caller, '/files', { body: { jsonrpc: '2.0', id, method: 'initialize', params } })
  const session = String(outcome.headers['mcp-session-id'] ?? '')
  const isOpen = outcome.status === 200 && outcome.isComplete && session !== ''
  if (!isOpen) {
    journal.note('session begin', outcome, new Map([[id, '']]))
    return undefined
  }
  journal.note('session begin', outcome, 'right')
  const told = await sendAs(caller, '/files', {
    body: { jsonrpc: '2.0', method: 'notifications/initialized' },
    headers: headersOf(session),
  })
  journal.note('session notification', told, judgeEnd(told))
  const pid = await askForProcess(caller, journal, session)
  return pid === undefined ? undefined : { id: session, pid }
}

/** Its first call. A process that another user has is a leak. */
async function askForProcess(caller: Caller, journal: Journal, session: string): Promise<string | undefined> {
  const id = nextId()
  const outcome = await sendAs(caller, '/files', { body: createCall(id, 'pid'), headers: headersOf(session) })
  const pid = readText(outcome)
  if (pid === undefined) journal.note('session', outcome, new Map([[id, 'a process']]))
  else journal.note('session', outcome, owners.has(pid) ? 'wrong' : 'right')
  return pid
}

function readText({ status, isComplete, headers, body }: Outcome): string | undefined {
  if (status !== 200 || !isComplete) return undefined
  const texts = String(headers['content-type']).startsWith('text/event-stream') ? readEvents(body) : [body]
  const answer = texts.map((text) => JSON.parse(text)).find(({ result }) => result !== undefined)
  return answer?.result.content[0].text
}

async function callSession(caller: Caller, journal: Journal, { id: session, pid }: Session): Promise<Outcome> {
  const id = nextId()
  const outcome = await sendAs(caller, '/files', { body: createCall(id, 'pid'), headers: headersOf(session) })
  journal.note('session', outcome, new Map([[id, pid]]))
  return outcome
}

/** Of a message that has no response. */
function judgeEnd({ status, isComplete }: Outcome): Verdict {
  if (!isComplete) return 'broken'
  if (status >= 200 && status < 300) return 'right'
  return status >= 400 ? 'refused' : 'wrong'
}
