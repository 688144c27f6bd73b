import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findFreePort } from '../../support/free-port.ts'
import { waitUntil } from '../../support/processes.ts'

/** An egress proxy as companies run it, which knows nothing of us. */
export interface Tinyproxy {
  readonly url: string
  /** Authorities for which it was asked by CONNECT, in order. */
  listTunnels(): string[]
  /** Everything else that it was asked. */
  listOthers(): string[]
  close(): Promise<void>
}

/** Starts tinyproxy on 127.0.0.1, for one user. */
export async function startTinyproxy(user: string, password: string): Promise<Tinyproxy> {
  const folder = mkdtempSync(join(tmpdir(), 'tinyproxy-'))
  const port = await findFreePort()
  const log = join(folder, 'log')
  const settings = [
    `Port ${port}`,
    'Listen 127.0.0.1',
    'Timeout 600',
    `BasicAuth ${user} ${password}`,
    `LogFile "${log}"`,
    'LogLevel Connect',
  ]
  writeFileSync(join(folder, 'tinyproxy.conf'), settings.join('\n'))
  const child = spawn('tinyproxy', ['-d', '-c', join(folder, 'tinyproxy.conf')], { stdio: 'ignore' })
  await waitUntil(() => isListening(port), 'tinyproxy listens')
  const listRequests = (): string[] =>
    [...readFileSync(log, 'utf8').matchAll(/Request \(file descriptor \d+\): (.*)/g)].map(([, line = '']) => line)
  const isTunnel = (line: string): boolean => line.startsWith('CONNECT ')
  return {
    url: `http://127.0.0.1:${port}`,
    listTunnels: () =>
      listRequests()
        .filter(isTunnel)
        .map((line) => line.split(' ')[1] ?? ''),
    listOthers: () => listRequests().filter((line) => !isTunnel(line)),
    async close() {
      const exited = once(child, 'exit')
      child.kill()
      await exited
      rmSync(folder, { recursive: true })
    },
  }
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}
