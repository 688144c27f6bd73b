import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'

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
  close(): Promise<void>
}

/**
 * Starts Redis on 127.0.0.1; it keeps nothing on disk.
 *
 * @param wanted - port where one listened before; a free one unless given
 */
export async function startRedisServer(wanted?: number): Promise<RedisServer> {
  const port = wanted ?? (await findFreePort())
  const child = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'])
  await waitForStart(child)
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
    async close() {
      const exited = new Promise((resolve) => child.once('exit', resolve))
      child.kill()
      child.kill('SIGCONT')
      await exited
    },
  }
}

function waitForStart(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.stdout?.on('data', (chunk) => String(chunk).includes('Ready to accept connections') && resolve())
  })
}

/** A port of 127.0.0.1 that nobody listened on a moment ago. */
export async function findFreePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve))
  const { port } = probe.address() as AddressInfo
  await new Promise((resolve) => probe.close(resolve))
  return port
}
