import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { ConfigInput } from '../../../src/config/schema/schema.ts'
import { waitUntil } from '../../support/processes.ts'

/** The command line. */
export const program = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url))

/** The proxy in a process of its own, as it runs in production. */
export interface Replica {
  readonly port: number
  /** `http://127.0.0.1:<port>`. */
  readonly origin: string
  readonly pid: number
  /** Its configuration file. */
  readonly file: string
  /** Writes another configuration into the file; the process is not told. */
  rewrite(config: ConfigInput): void
  /** Number of requests to MCP servers that its log names until now. */
  countServed(): number
  /** Lines of standard error until now. */
  readonly told: readonly string[]
  signal(signal: NodeJS.Signals): void
  /** Exit code and the moment of the exit (`performance.now()`); undefined code after a signal that was not handled. */
  readonly exited: Promise<{ readonly code: number | null; readonly at: number }>
  waitUntilReady(): Promise<void>
}

export interface ReplicaOptions {
  /** Where it listens, if not where the configuration says. */
  readonly port?: number
  /** A configuration file that is there already, instead of one that is written. */
  readonly file?: string
  readonly env?: Readonly<Record<string, string>>
  /** The command line, if not of this checkout. */
  readonly program?: string | undefined
  /** A command that ends in the place of its arguments' command, such as `systemd-socket-activate`. */
  readonly through?: readonly string[]
  readonly stdio?: SpawnOptions['stdio']
  /** Beside `--config`. */
  readonly flags?: readonly string[]
  /** Called with each line of the log. */
  readonly onLine?: (line: string) => void
}

const running = new Set<ChildProcess>()
const folder = mkdtempSync(join(tmpdir(), 'ops-'))
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

/** Writes the configuration into a file and starts the proxy with it; it may not be ready yet. */
export function startReplica(config: ConfigInput, options: ReplicaOptions = {}): Replica {
  const port = options.port ?? config.listen?.port ?? 0
  const file = options.file ?? join(folder, `${port}.json`)
  if (options.file === undefined) writeFileSync(file, JSON.stringify(config))
  const [command = '', ...parameters] = [
    ...(options.through ?? []),
    process.execPath,
    options.program ?? program,
    '--config',
    file,
    ...(options.flags ?? []),
  ]
  const child = spawn(command, parameters, {
    env: { ...process.env, ...options.env },
    stdio: options.stdio ?? ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  let served = 0
  let lastLine = ''
  readLines(child.stdout, (line) => {
    lastLine = line
    if (line.includes('"server":')) served += 1
    options.onLine?.(line)
  })
  const told: string[] = []
  readLines(child.stderr, (line) => told.push(line))
  const exited = new Promise<{ code: number | null; at: number }>((resolve) =>
    child.once('exit', (code) => {
      running.delete(child)
      resolve({ code, at: performance.now() })
    }),
  )
  const origin = `http://127.0.0.1:${port}`
  const isReady = async (): Promise<boolean> => {
    if (child.exitCode !== null) throw new Error(`the proxy ended with ${child.exitCode}: ${told.join('\n')}`)
    return (await fetch(`${origin}/readyz`).catch(() => undefined))?.status === 200
  }
  return {
    port,
    origin,
    pid: child.pid ?? 0,
    file,
    rewrite: (next) => writeFileSync(file, JSON.stringify(next)),
    countServed: () => served,
    told,
    signal: (signal) => void child.kill(signal),
    exited,
    waitUntilReady: () =>
      waitUntil(isReady, `the proxy on port ${port} is ready`, 30_000).catch((error: Error) => {
        throw new Error(`${error.message}; it said: ${[...told, lastLine].join('\n')}`, { cause: error })
      }),
  }
}

function readLines(stream: NodeJS.ReadableStream | null, onLine: (line: string) => void): void {
  if (stream !== null) createInterface(stream).on('line', onLine)
}
