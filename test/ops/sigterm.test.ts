// What SIGTERM does to a real process, with clients that do everything to keep it from ending.
import { connect, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findFreePort } from '../support/free-port.ts'
import { waitUntil } from '../support/processes.ts'
import { startLoad } from './support/load.ts'
import { type Replica, startReplica } from './support/replica.ts'
import { type Stage, setStage } from './support/stage.ts'
import { openStreams } from './support/streams.ts'
import { reportTarget } from './support/target.ts'

const DELAY_SECONDS = 2
const DRAIN_SECONDS = 6
/** What a busy machine may take for what takes a moment. */
const GRACE_MS = 4000

let stage: Stage
let replica: Replica
const sockets: Socket[] = []

beforeEach(async () => {
  const port = await findFreePort()
  stage = await setStage(`http://localhost:${port}`)
  replica = startReplica(stage.configure(port, { shutdown: { delay_seconds: DELAY_SECONDS, drain_seconds: DRAIN_SECONDS } }))
  await replica.waitUntilReady()
})
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  replica.signal('SIGKILL')
  await replica.exited
  await stage.close()
})

describe('SIGTERM', () => {
  it('falls out of readiness at once, answers every running call, ends streams cleanly and exits with 0', async () => {
    const streams = await openStreams(50, `${replica.origin}/mcp`, stage.headers)
    const running = await startHeldCalls(200)
    const signalled = sendSigterm()
    const unreadyAfter = await waitForStatus('/readyz', 503, signalled)
    expect(unreadyAfter).toBeLessThan(GRACE_MS)
    expect((await fetch(`${replica.origin}/healthz`)).headers.get('connection')).toBe('close')
    const refusedAfter = await waitUntilRefused(signalled)
    expect(refusedAfter).toBeGreaterThan(DELAY_SECONDS * 1000 - 100)
    stage.server.release()
    const { sent, right, complaints } = await running.stop()
    expect(complaints).toEqual([])
    expect(right).toBe(sent)
    await streams.over
    expect([streams.countEnded(), streams.countCut()]).toEqual([50, 0])
    const { code, at } = await replica.exited
    expect(code).toBe(0)
    expect(at - signalled).toBeLessThan(refusedAfter + DRAIN_SECONDS * 1000)
    reportTarget('R4', 'SIGTERM answers what runs and ends streams cleanly', {
      'unready after ms': unreadyAfter,
      'stopped listening after ms': refusedAfter,
      'running calls answered': right,
      'streams ended cleanly': streams.countEnded(),
      'exit after ms': at - signalled,
    })
  })

  it('exits with 0 when the drain is over, whatever 1,000 stuck clients do', { timeout: 60_000 }, async () => {
    stage.server.hold()
    for (const send of [silence, halfAHead, halfABody, aCallWithoutAnswer, aStreamThatIsNotRead]) await openStuck(200, send)
    await waitUntil(() => stage.server.countRequests() >= 400, 'the MCP server has the calls and the streams')
    for (let event = 0; event < 40; event += 1) stage.server.sendEvent('x'.repeat(64 * 1024))
    const signalled = sendSigterm()
    const { code, at } = await replica.exited
    expect(code).toBe(0)
    const exitAfter = at - signalled
    expect(exitAfter).toBeLessThan((DELAY_SECONDS + DRAIN_SECONDS + 1) * 1000 + GRACE_MS)
    reportTarget('R4', `SIGTERM with 1,000 stuck clients exits within ${DELAY_SECONDS} + ${DRAIN_SECONDS} + 1 s`, {
      'exit after ms': exitAfter,
      code: String(code),
    })
  })

  it('ends the process within a second when it comes again', async () => {
    const running = await startHeldCalls(20)
    sendSigterm()
    await waitForStatus('/readyz', 503, performance.now())
    const again = sendSigterm()
    const { code, at } = await replica.exited
    expect(code).toBe(1)
    expect(at - again).toBeLessThan(1000 + GRACE_MS)
    stage.server.release()
    await running.stop()
    reportTarget('R4', 'a second SIGTERM ends the process within 1 s', { 'exit after ms': at - again, code: String(code) })
  })
})

function sendSigterm(): number {
  replica.signal('SIGTERM')
  return performance.now()
}

/** Calls that wait at the MCP server until it is released. */
async function startHeldCalls(count: number) {
  stage.server.hold()
  const load = startLoad({
    url: `${replica.origin}/mcp`,
    perSecond: 200,
    total: count,
    headers: stage.headers,
    connections: count,
  })
  await waitUntil(() => stage.server.seen.size >= count, 'the calls are at the MCP server')
  const stopped = load.stop()
  return { stop: () => stopped }
}

async function waitForStatus(path: string, status: number, since: number): Promise<number> {
  await waitUntil(async () => (await fetch(`${replica.origin}${path}`)).status === status, `${path} answers ${status}`)
  return performance.now() - since
}

async function waitUntilRefused(since: number): Promise<number> {
  const isRefused = () =>
    new Promise<boolean>((resolve) => {
      const socket = connect(replica.port, '127.0.0.1', () => resolve(!socket.destroy()))
      socket.once('error', () => resolve(true))
    })
  await waitUntil(isRefused, 'nothing listens')
  return performance.now() - since
}

async function openStuck(count: number, send: (head: string) => string): Promise<void> {
  const { authorization, host } = stage.headers
  const head = `Host: ${host}\r\nAuthorization: ${authorization}\r\n`
  await Promise.all(
    Array.from({ length: count }, async () => {
      const socket = connect(replica.port, '127.0.0.1')
      sockets.push(socket)
      socket.on('error', () => undefined)
      // Nothing is read.
      socket.pause()
      await new Promise((resolve) => socket.once('connect', resolve))
      socket.write(send(head))
    }),
  )
}

const silence = (): string => ''
const halfAHead = (head: string): string => `POST /mcp HTTP/1.1\r\n${head}`
const CALL = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"nonce":"stuck"}}}'
const post = (head: string, body: string): string =>
  `POST /mcp HTTP/1.1\r\n${head}Content-Type: application/json\r\nContent-Length: ${CALL.length}\r\n\r\n${body}`
const halfABody = (head: string): string => post(head, CALL.slice(0, 20))
const aCallWithoutAnswer = (head: string): string => post(head, CALL)
const aStreamThatIsNotRead = (head: string): string => `GET /mcp HTTP/1.1\r\n${head}Accept: text/event-stream\r\n\r\n`
