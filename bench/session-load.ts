import type { ChildProcess } from 'node:child_process'
import { connect } from 'node:net'
import { startInstructionCounter } from './instructions.ts'
import { readCpu } from './process-cost.ts'

/** Calls in MCP sessions, as little of a client as can be. */

export interface Contender {
  readonly name: string
  readonly url: string
  readonly revision: string
  readonly token: string | undefined
  readonly process: ChildProcess
}

export interface Sample {
  readonly callsPerSecond: number
  /** Microseconds of processor time of the process alone, without its children. */
  readonly cpuPerCall: number
  /** Of the same process, where the machine lets us count them; they hardly depend on what else it does. */
  readonly instructionsPerCall: number | undefined
}

export interface SessionLoad {
  readonly sessions: number
  /** In each session, on connections of their own. */
  readonly callsAtATime: number
}

export async function waitForPort(url: string): Promise<void> {
  for (let attempt = 0; attempt < 600; attempt++) {
    const answered = await fetch(url, { method: 'HEAD' }).then(
      () => true,
      () => false,
    )
    if (answered) return
    await pause(50)
  }
  throw new Error(`nothing listens at ${url}`)
}

/** Opens sessions, has each make calls for a while on connections of its own, and counts. */
export async function measureSessions(
  contender: Contender,
  { sessions, callsAtATime }: SessionLoad,
  seconds: number,
): Promise<Sample> {
  const { pid = 0 } = contender.process
  const ids = await Promise.all(Array.from({ length: sessions }, () => openSession(contender)))
  const counter = { calls: 0, isOver: false }
  const loops = ids.flatMap((session) =>
    Array.from({ length: callsAtATime }, (_, first) =>
      callInALoop(contender, session, { first: first + 1, step: callsAtATime }, counter),
    ),
  )
  const counting = await startInstructionCounter(pid)
  await pause(200)
  await counting?.enable()
  const before = { calls: counter.calls, cpu: readCpu(pid), at: performance.now() }
  await Promise.race([pause(seconds * 1000), ...loops])
  const made = counter.calls - before.calls
  const lasted = performance.now() - before.at
  const cpu = readCpu(pid) - before.cpu
  await counting?.disable()
  const counted = counter.calls - before.calls
  const instructions = await counting?.stop()
  const sample = {
    callsPerSecond: made / (lasted / 1000),
    cpuPerCall: cpu / made,
    instructionsPerCall: instructions === undefined ? undefined : instructions / counted,
  }
  counter.isOver = true
  await Promise.all(loops)
  for (const session of ids) await fetch(contender.url, { method: 'DELETE', headers: headersOf(contender, session) })
  return sample
}

/** As little of a client as can be: it shares the machine with what it measures. */
function callInALoop(
  contender: Contender,
  session: string,
  ids: { readonly first: number; readonly step: number },
  counter: { calls: number; isOver: boolean },
): Promise<void> {
  const { host, port } = new URL(contender.url)
  const head = Object.entries({ host, ...headersOf(contender, session) }).map(([name, value]) => `${name}: ${value}\r\n`)
  return new Promise((resolve, reject) => {
    let id = ids.first
    let held = ''
    const socket = connect({ host: '127.0.0.1', port: Number(port), noDelay: true })
    const ask = (): void => {
      const body = `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"weather","arguments":{"city":"Oslo"}}}`
      socket.write(`POST ${pathOf(contender)} HTTP/1.1\r\n${head.join('')}content-length: ${body.length}\r\n\r\n${body}`)
    }
    socket.setEncoding('latin1')
    socket.on('connect', ask)
    socket.on('error', reject)
    socket.on('close', () => (counter.isOver ? resolve() : reject(new Error(`${contender.name} closed a connection: ${held}`))))
    socket.on('data', (chunk: string) => {
      held += chunk
      if (!isWhole(held)) return
      if (!held.includes(`"id":${id}`) || !held.includes('21 degrees')) return reject(new Error(`${contender.name}: ${held}`))
      counter.calls++
      held = ''
      id += ids.step
      if (counter.isOver) socket.destroy()
      else ask()
    })
  })
}

/** Whether a response is all there: by its length, or by its last chunk. */
function isWhole(response: string): boolean {
  const end = response.indexOf('\r\n\r\n')
  if (end < 0) return false
  const length = /\r\ncontent-length: (\d+)/i.exec(response.slice(0, end))?.[1]
  return length === undefined ? response.endsWith('0\r\n\r\n') : response.length >= end + 4 + Number(length)
}

async function openSession(contender: Contender): Promise<string> {
  const params = { protocolVersion: contender.revision, capabilities: {}, clientInfo: { name: 'bench', version: '1' } }
  const body = JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params })
  const opened = await fetch(contender.url, { method: 'POST', headers: headersOf(contender), body })
  const text = await opened.text()
  const session = opened.headers.get('mcp-session-id')
  if (session === null) throw new Error(`${contender.name} opened no session: ${opened.status} ${text}`)
  const told = {
    method: 'POST',
    headers: headersOf(contender, session),
    body: '{"jsonrpc":"2.0","method":"notifications/initialized"}',
  }
  await (await fetch(contender.url, told)).text()
  return session
}

function pathOf({ url }: Contender): string {
  return new URL(url).pathname
}

function headersOf({ token, revision }: Contender, session?: string): Record<string, string> {
  return {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(session === undefined ? {} : { 'mcp-session-id': session, 'mcp-protocol-version': revision }),
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
