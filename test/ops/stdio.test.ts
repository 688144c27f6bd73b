// MCP servers that are processes. `STDIO_SESSIONS=1000 STDIO_ROUNDS=500 npm run test:ops -- stdio` is the full length (R26, R27: a million messages).
import { afterEach, expect, it } from 'vitest'
import { openStdioGate, type StdioGate, scripted } from '../support/gate.ts'
import { type GateProcess, startGateProcess } from '../support/gate-process.ts'
import {
  callModern,
  createRequest,
  createToolCall,
  type LegacySession,
  type Message,
  openSession,
  readAnswer,
  readMessages,
  sendMcp,
  textOf,
} from '../support/mcp-requests.ts'
import { childrenOf, waitUntil } from '../support/processes.ts'
import { reportTarget } from './support/target.ts'

const SESSIONS = Number(process.env.STDIO_SESSIONS ?? 100)
const ROUNDS = Number(process.env.STDIO_ROUNDS ?? 5)
const IN_FLIGHT = 100
const CLIENTS = 200
const STEPS = 9
const AT_ONCE = 10
/** Beside the ids and messages, which are exact: the aims are one second and five. */
const PATIENCE_MS = 20_000

let gate: StdioGate | undefined
let proxy: GateProcess | undefined
afterEach(async () => {
  await gate?.close()
  await proxy?.kill('SIGKILL')
  gate = undefined
  proxy = undefined
})

const since = (moment: number): number => performance.now() - moment

it.each(['session', 'shared'] as const)(
  '100 calls of a killed process are all answered (a process per %s)',
  async (processPer) => {
    gate = await openStdioGate({ command: scripted, processPer })
    const session = await openSession(gate.origin, { revision: '2025-06-18' })
    const pid = Number(await session.call('pid'))
    const ids = Array.from({ length: IN_FLIGHT }, (_, i) => `h${i}`)
    const asked = ids.map((id) => session.post(createToolCall('hang', {}, undefined, id)))
    await waitUntil(() => countHanging(gate) >= IN_FLIGHT, 'all are asked')
    const killedAt = performance.now()
    process.kill(pid, 'SIGKILL')
    const answers = await Promise.all(asked.map((response) => readAnswer(response)))
    const answeredMs = since(killedAt)
    expect(answers.map(({ id, error }) => [id, error?.data?.error])).toEqual(ids.map((id) => [id, 'upstream_ended']))
    const again = processPer === 'shared' ? session : await openSession(gate.origin)
    expect(await again.call('echo', { text: 'again' })).toBe('again')
    const servedMs = since(killedAt)
    expect(servedMs).toBeLessThan(PATIENCE_MS)
    reportTarget(
      'R25',
      `calls of a killed process are all answered, and the next one is served (aims: 1 s each; a process per ${processPer})`,
      {
        ...{ 'calls in flight': IN_FLIGHT, 'errors with their id': answers.length },
        ...{ 'ms until the last error': answeredMs, 'ms until the next answer, with its start': servedMs },
      },
    )
  },
)

const countHanging = (open: StdioGate | undefined): number =>
  open?.stderr.filter((line) => line.startsWith('hanging')).length ?? 0

it('sessions that are opened and given up leave no process', { timeout: 60_000 + SESSIONS * 2000 }, async () => {
  proxy = await startGateProcess({ command: scripted, maxProcesses: AT_ONCE, idleSeconds: 1 })
  const { origin, pid } = proxy
  const before = childrenOf(pid).length
  let most = 0
  for (let opened = 0; opened < SESSIONS; opened += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => openAndGiveUp(origin, `user${i}`, i % 2 === 0)))
    most = Math.max(most, childrenOf(pid).length)
  }
  const endedAt = performance.now()
  await waitUntil(() => childrenOf(pid).length <= before + 1, 'all processes have ended', PATIENCE_MS)
  await waitUntil(() => childrenOf(pid).every(({ state }) => state !== 'Z'), 'no zombie is left', PATIENCE_MS)
  expect(most).toBeLessThanOrEqual(before + AT_ONCE + 2)
  reportTarget('R26', 'sessions that are opened and given up leave no process and no zombie (aim: 5 s)', {
    ...{ sessions: SESSIONS, 'processes at most': most, 'processes before': before, after: childrenOf(pid).length },
    'ms until they were gone': since(endedAt),
  })
})

/** Every second client leaves in the midst of opening, the others end their session. */
async function openAndGiveUp(origin: string, user: string, leaves: boolean): Promise<void> {
  const abort = new AbortController()
  const asked = sendMcp(`${origin}/mcp`, {
    user,
    body: createRequest('initialize', { protocolVersion: '2025-06-18' }),
    signal: abort.signal,
  })
  if (leaves) setImmediate(() => abort.abort())
  const response = await asked.catch(() => undefined)
  const session = response?.headers.get('mcp-session-id')
  await response?.text().catch(() => undefined)
  if (session) await sendMcp(`${origin}/mcp`, { user, method: 'DELETE', session })
}

interface Delivered {
  messages: number
  astray: number
}

it('clients with equal ids get no message of another', { timeout: 60_000 + ROUNDS * 20_000 }, async () => {
  gate = await openStdioGate({ command: scripted, processPer: 'shared', env: { ERA: 'both' } })
  const { origin } = gate
  const sessions = await Promise.all(Array.from({ length: CLIENTS / 2 }, (_, i) => openSession(origin, { user: `u${i}` })))
  const delivered: Delivered = { messages: 0, astray: 0 }
  const clients = sessions.flatMap((session, i) => [askInSession(session), askWithout(origin, `u${i}`)])
  await Promise.all(clients.map((ask, index) => playRounds(ask, index, delivered)))
  expect(delivered).toEqual({ messages: CLIENTS * ROUNDS * (STEPS + 1), astray: 0 })
  reportTarget('R27', 'clients with equal ids get no message of another through one process (aim: 0 of a million)', {
    ...{ clients: CLIENTS, messages: delivered.messages, astray: delivered.astray },
  })
})

type Ask = (message: string) => Promise<Response>

const META = { progressToken: 1 }

const askInSession =
  (session: LegacySession): Ask =>
  (message) =>
    session.post(createToolCall('progress', { count: STEPS, message }, META, 1))

const askWithout =
  (origin: string, user: string): Ask =>
  (message) =>
    callModern(origin, 'progress', { count: STEPS, message }, { user, id: 1, meta: META })

async function playRounds(ask: Ask, index: number, delivered: Delivered): Promise<void> {
  for (let round = 0; round < ROUNDS; round += 1) {
    const text = `${index}-${round}`
    const messages = await readMessages(await ask(text))
    delivered.messages += messages.length
    delivered.astray += messages.filter((message, at) => !isOwn(message, at, text)).length
  }
}

function isOwn(message: Message, at: number, text: string): boolean {
  if (at === STEPS) return message.id === 1 && textOf(message) === text
  const { params } = message
  return params?.message === text && params.progress === at + 1 && params.progressToken === 1
}
