import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findFreePort } from '../../test/support/free-port.ts'
import type { Child } from '../child.ts'
import { endWithUs } from '../end-with-us.ts'
import { path } from '../plan.ts'
import { readCpu, readResident } from '../process-cost.ts'
import { findProgram } from '../programs.ts'
import { clientHeaders, formatCall } from '../workload.ts'

/** What a proxy of others is set up with. */
export interface PeerSetting {
  /** For its files. */
  readonly folder: string
  readonly port: number
  readonly upstreamPort: number
  readonly issuer: string
  readonly audience: string
  /** The issuer's key as PEM. */
  readonly publicKey: string
  /** The issuer's keys as a JWK set. */
  readonly keySet: string
}

/** A proxy of others that the machine may have. */
export interface PeerKind {
  readonly name: string
  readonly program: string
  /** Whether it checks tokens. */
  readonly verifies: boolean
  /** Its files, by name. */
  files(setting: PeerSetting): Readonly<Record<string, string>>
  /** Its arguments. */
  format(folder: string): readonly string[]
}

export type PeerTrust = Omit<PeerSetting, 'folder' | 'port'>

const startDeadlineMs = 10_000

/**
 * Starts a proxy of others, with its files in a folder that goes with it.
 *
 * @returns undefined where the machine doesn't have it
 * @throws Error when it doesn't listen within ten seconds
 */
export async function startPeer(kind: PeerKind, trust: PeerTrust): Promise<Child | undefined> {
  const program = findProgram(kind.program)
  if (program === undefined) return undefined
  const folder = mkdtempSync(join(tmpdir(), 'bench-peer-'))
  const port = await findFreePort()
  for (const [name, text] of Object.entries(kind.files({ ...trust, folder, port }))) writeFileSync(join(folder, name), text)
  const running = spawn(program, kind.format(folder), { stdio: ['ignore', 'ignore', 'inherit'] })
  endWithUs(running)
  await waitForListener(running, kind.name, port)
  const pid = running.pid ?? 0
  return { name: kind.name, pid, port, ask: createAsk(pid), stop: () => stop(running, folder) }
}

/** Answers from outside what a process of ours answers itself. */
function createAsk(pid: number): Child['ask'] {
  const answers: Readonly<Record<string, () => number>> = { cpu: () => readCpu(pid), residentNow: () => readResident(pid) }
  return async (question) => {
    const answer = answers[question]
    if (answer === undefined) throw new Error(`a peer does not answer ${question}`)
    return answer() as never
  }
}

async function waitForListener(running: ChildProcess, name: string, port: number): Promise<void> {
  const end = performance.now() + startDeadlineMs
  while (!(await accepts(port))) {
    if (running.exitCode !== null || performance.now() > end) {
      running.kill('SIGKILL')
      throw new Error(`${name} does not listen`)
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}

async function stop(running: ChildProcess, folder: string): Promise<void> {
  if (running.exitCode === null && running.signalCode === null) {
    const over = once(running, 'exit')
    running.kill('SIGKILL')
    await over
  }
  rmSync(folder, { recursive: true })
}

/** @throws Error when a token with another signature is let in, or the right one isn't: what is measured then is something else */
export async function checkRefusal({ name, port }: Child, token: string): Promise<void> {
  const spoiled = `${token.slice(0, -8)}AAAAAAAA`
  const [good, bad] = [await call(port, token), await call(port, spoiled)]
  if (good !== 200 || (bad !== 401 && bad !== 403))
    throw new Error(`${name} answers ${good} to a good token, ${bad} to a bad one`)
}

async function call(port: number, token: string): Promise<number> {
  const headers = { ...clientHeaders, Authorization: `Bearer ${token}` }
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', headers, body: formatCall(1) })
  await response.arrayBuffer()
  return response.status
}
