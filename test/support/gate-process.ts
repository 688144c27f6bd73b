import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { StdioUpstreamPlan } from '../../src/core/plan.ts'

const program = fileURLToPath(new URL('../fixtures/stdio/gate-process.ts', import.meta.url))

/** A gate before a stdio server in a process of its own, which a test may kill. */
export interface GateProcess {
  readonly origin: string
  readonly pid: number
  kill(signal: NodeJS.Signals): Promise<void>
}

export async function startGateProcess(plan: Partial<StdioUpstreamPlan>, env: Record<string, string> = {}): Promise<GateProcess> {
  const child: ChildProcess = spawn(process.execPath, [program, JSON.stringify(plan)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  })
  const lines = createInterface(child.stdout as NodeJS.ReadableStream)
  const [origin] = (await once(lines, 'line')) as [string]
  return {
    origin,
    pid: child.pid as number,
    kill: async (signal) => {
      const gone = once(child, 'exit')
      child.kill(signal)
      await gone
    },
  }
}
