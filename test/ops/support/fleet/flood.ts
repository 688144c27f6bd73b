import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { FloodOrder, FloodReport } from './flooder.ts'

export interface RunningFlood {
  /** Ends it. */
  stop(): Promise<FloodReport>
}

/** Has one user flood the proxy from a process of its own. */
export async function startFlood(order: FloodOrder): Promise<RunningFlood> {
  const child = fork(fileURLToPath(new URL('./flooder.ts', import.meta.url)), { stdio: 'inherit' })
  await once(child, 'message')
  child.send(order)
  return {
    async stop() {
      const exited = once(child, 'exit')
      const reported = once(child, 'message')
      child.send('stop')
      const [report] = (await reported) as [FloodReport]
      await exited
      return report
    },
  }
}
