// Programs of others as processes: with an environment of their own, a time to end in, and nothing left behind.
import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import type { Environment } from './environment.ts'

export interface Ended {
  readonly exitCode: number | null
  /** Both outputs, as they came. */
  readonly output: string
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>
  /** Answers to questions that the program asks, by the text of the question. */
  readonly answers?: Readonly<Record<string, string>>
}

/** More than any single step of any client takes on a busy machine with two processors. */
const MAX_SECONDS = 90

/** Starts a program with the environment of {@link Environment} and nothing of ours. */
export function start(
  environment: Environment,
  [command = '', ...parameters]: readonly string[],
  env: Readonly<Record<string, string>> = {},
): ChildProcessWithoutNullStreams {
  const child = spawn(command, parameters, {
    cwd: environment.folder,
    env: { ...environment.env, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
    // A process group of its own, so that it can be ended with all its children.
    detached: true,
  })
  // That it has ended is seen at its outputs, with what it wrote.
  child.stdin.on('error', () => {})
  environment.onClose(() => kill(child))
  return child
}

/**
 * Runs a program to its end.
 *
 * @throws Error with what it wrote, where it does not end in time
 */
export async function run(environment: Environment, command: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const child = start(environment, command, options.env)
  let output = ''
  const asked = new Map(Object.entries(options.answers ?? {}))
  // A client that may ask keeps its input; others are told that there is nobody.
  if (asked.size === 0) child.stdin.end()
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk
      for (const [question, answer] of asked) {
        if (!output.includes(question)) continue
        asked.delete(question)
        child.stdin.write(answer)
      }
    })
  }
  await within(
    `${command.slice(0, 3).join(' ')} … to end`,
    () => output,
    child,
    new Promise((resolve) => child.once('close', resolve)),
  )
  return { exitCode: child.exitCode, output }
}

/**
 * Waits for something that a program does.
 *
 * @throws Error with what the program wrote, where it takes too long; the program is ended then
 */
export async function within<T>(what: string, output: () => string, child: ChildProcess, done: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      kill(child)
      reject(new Error(`waited ${MAX_SECONDS} s for ${what}. It wrote:\n${output()}`))
    }, MAX_SECONDS * 1000)
  })
  try {
    return await Promise.race([done, late])
  } finally {
    clearTimeout(timer)
  }
}

function kill({ pid }: ChildProcess): void {
  if (pid === undefined) return
  try {
    // A negative id names the group.
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
