import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { StdioUpstreamPlan } from '../../src/core/plan/upstream-plan.ts'

const program = fileURLToPath(new URL('../fixtures/stdio/gate-process.ts', import.meta.url))

/** A gate before a stdio server in a process of its own, which a test may kill. */
export interface GateProcess {
  readonly origin: string
  readonly pid: number
  kill(signal: NodeJS.Signals): Promise<void>
}

/**
 * @param plan - of the stdio server
 * @param env - besides that of the tests
 * @param through - a command that ends in the place of its arguments' command, such as `setpriv`
 */
export async function startGateProcess(
  plan: Partial<StdioUpstreamPlan>,
  env: Record<string, string> = {},
  through: readonly string[] = [],
): Promise<GateProcess> {
  const [command = '', ...parameters] = [...through, process.execPath, program, JSON.stringify(plan)]
  const child: ChildProcess = spawn(command, parameters, {
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
