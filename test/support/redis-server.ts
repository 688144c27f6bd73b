import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { findFreePort } from './free-port.ts'

/** Whether suites that need the program of Redis can run. Under CI nothing may be skipped. */
export function hasRedisServer(): boolean {
  if (spawnSync('redis-server', ['--version']).status === 0) return true
  if (process.env.CI) throw new Error('redis-server is missing')
  console.warn('skipped: redis-server is not installed')
  return false
}

export interface RedisServer {
  readonly url: string
  readonly port: number
  /** Has it stand still: connections stay, and nothing is answered. */
  freeze(): void
  thaw(): void
  /** Does nothing where it has ended. */
  close(signal?: NodeJS.Signals): Promise<void>
}

/** How a server is started. */
export interface RedisServerOptions {
  /** Port where one listened before; a free one unless given. */
  readonly port?: number
  /** In place of Redis. */
  readonly program?: string
  /** More of its command line. */
  readonly settings?: readonly string[]
}

/** Starts Redis on 127.0.0.1; it keeps nothing on disk. */
export async function startRedisServer(options: RedisServerOptions = {}): Promise<RedisServer> {
  const port = options.port ?? (await findFreePort())
  const persistence = ['--save', '', '--appendonly', 'no']
  return startProgram(port, options.program, ['--port', String(port), ...persistence, ...(options.settings ?? [])])
}

/**
 * Starts a program that speaks the protocol of Redis.
 *
 * @param given - of its command line
 */
export async function startProgram(port: number, program = 'redis-server', given: readonly string[]): Promise<RedisServer> {
  const child = spawn(program, [...given, ...(given[0]?.startsWith('--') ? ['--bind', '127.0.0.1'] : [])])
  await waitForStart(child)
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
    async close(signal = 'SIGTERM') {
      if (child.exitCode !== null || child.signalCode !== null) return
      const exited = new Promise((resolve) => child.once('exit', resolve))
      child.kill(signal)
      child.kill('SIGCONT')
      await exited
    },
  }
}

function waitForStart(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = ''
    child.once('error', reject)
    child.once('exit', () => reject(new Error(`the server ended: ${said}`)))
    child.stdout?.on('data', (chunk) => {
      said += String(chunk)
      if (/Ready to accept connections|Sentinel ID is/.test(said)) resolve()
    })
  })
}
