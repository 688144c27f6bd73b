import { type ChildProcess, spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

export interface EverythingServer {
  /** URL of its endpoint: `/mcp`, or `/sse` with messages at `/message`. */
  readonly url: string
  readonly port: number
  /** What it wrote to its output until now. */
  output(): string
  /** Ends it with every process that it started. */
  close(): Promise<void>
}

const program = createRequire(import.meta.url).resolve('@modelcontextprotocol/server-everything/dist/index.js')
const preload = fileURLToPath(new URL('./keep-on-loopback.ts', import.meta.url))

/** Starts the MCP project's server that has everything, as a process of its own on a free port of 127.0.0.1, and waits until it listens. */
export async function startEverythingServer(transport: 'sse' | 'streamableHttp'): Promise<EverythingServer> {
  const child = spawn(process.execPath, ['--import', preload, program, transport], {
    env: { ...process.env, PORT: '0', NODE_OPTIONS: '' },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    // A process group of its own, so that it can be ended with all its children.
    detached: true,
  })
  let output = ''
  child.stdout?.on('data', (chunk) => (output += chunk))
  child.stderr?.on('data', (chunk) => (output += chunk))
  const port = await waitForPort(child, () => output)
  return {
    url: `http://127.0.0.1:${port}/${transport === 'sse' ? 'sse' : 'mcp'}`,
    port,
    output: () => output,
    close: () => end(child),
  }
}

async function waitForPort(child: ChildProcess, output: () => string): Promise<number> {
  return new Promise((resolve, reject) => {
    const fail = (error?: unknown) => reject(new Error(`server-everything did not start: ${output()}`, { cause: error }))
    child.once('error', fail)
    child.once('exit', fail)
    child.once('message', (message: { port: number }) => {
      child.off('exit', fail)
      resolve(message.port)
    })
  })
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = new Promise((resolve) => child.once('exit', resolve))
  // A negative id names the group.
  if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
  await exited
}
