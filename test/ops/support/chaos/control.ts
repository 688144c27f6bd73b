import { readdirSync } from 'node:fs'
import { connect } from 'node:net'
import { fileURLToPath } from 'node:url'
import { listProcesses } from '../../../support/processes.ts'

/** What a process holds. */
export interface Holdings {
  readonly heapBytes: number
  readonly rssBytes: number
  readonly timers: number
  readonly descriptors: number
  readonly children: number
}

/** The environment of a process that can be controlled by this Unix socket. */
export function createControlled(socket: string): Record<string, string> {
  const preload = fileURLToPath(new URL('./controlled-process.mjs', import.meta.url))
  return { CONTROL_SOCKET: socket, NODE_OPTIONS: `--import=${preload}` }
}

/** Sets the clock of the process wrong by so much, or right with 0. */
export async function shiftClock(socket: string, shiftMs: number): Promise<void> {
  await ask(socket, { shiftMs })
}

export async function measure(socket: string, pid: number): Promise<Holdings> {
  const told = JSON.parse(await ask(socket, {})) as Omit<Holdings, 'descriptors' | 'children'>
  const children = listProcesses().filter(({ parent, state }) => parent === pid && state !== 'Z').length
  return { ...told, descriptors: readdirSync(`/proc/${pid}/fd`).length, children }
}

function ask(path: string, message: object): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(path, () => socket.write(JSON.stringify(message)))
    let answer = ''
    socket.on('data', (chunk) => (answer += chunk))
    socket.once('end', () => resolve(answer))
    socket.once('error', reject)
  })
}
