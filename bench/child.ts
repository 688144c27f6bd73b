import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Answer } from './probe.ts'

/** A process of ours that can be asked about itself (see `probe.ts`). */
export interface Child {
  readonly name: string
  readonly pid: number
  /** Where it listens on 127.0.0.1. */
  readonly port: number
  /** @throws Error with what the child says went wrong */
  ask<T>(question: string, argument?: unknown): Promise<T>
  stop(): Promise<void>
}

export interface ChildOptions {
  /** JSON that the script reads as its first argument. */
  readonly argument?: unknown
  /** File descriptor for standard output. Default: nowhere. */
  readonly output?: number
}

const startDeadline = 20_000

/**
 * Starts a script of this folder in a process of its own. It is not tied to a processor: that would crowd the threads of V8 onto the one
 * that runs the code, and on a shared machine let nobody make way.
 *
 * @param script - for example `upstream.ts`
 * @throws Error when it ends, or says nothing for 20 s, before it listens
 */
export async function startChild(script: string, options: ChildOptions = {}): Promise<Child> {
  const path = fileURLToPath(new URL(script, import.meta.url))
  const argument = JSON.stringify(options.argument ?? null)
  const child = spawn(process.execPath, [path, argument], {
    stdio: ['ignore', options.output ?? 'ignore', 'inherit', 'ipc'],
  })
  const ask = createAsk(child)
  const port = await waitForPort(child, script)
  return { name: script, pid: child.pid ?? 0, port, ask, stop: () => stop(child) }
}

function createAsk(child: ChildProcess): Child['ask'] {
  const waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>()
  let last = 0
  child.on('message', ({ id, value, error }: Answer) => {
    const asked = waiting.get(id)
    waiting.delete(id)
    if (error === undefined) asked?.resolve(value as never)
    else asked?.reject(new Error(error))
  })
  child.on('exit', (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`the process ended with ${code}`))
  })
  return (name, argument) =>
    new Promise((resolve, reject) => {
      const id = ++last
      waiting.set(id, { resolve, reject })
      child.send({ id, name, argument })
    })
}

function waitForPort(child: ChildProcess, script: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => child.kill('SIGKILL'), startDeadline)
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`${script} ended with ${code} before it listened`)))
    child.once('message', ({ value }: Answer) => {
      clearTimeout(timer)
      resolve(value as number)
    })
  })
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const over = new Promise((resolve) => child.once('exit', resolve))
  child.disconnect()
  const timer = setTimeout(() => child.kill('SIGKILL'), 3000)
  await over
  clearTimeout(timer)
}
