import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { findProgram } from './programs.ts'

export type PythonGeneration = 'fastmcp' | 'v1'
export type PythonTransport = 'http' | 'sse'

export interface PythonServer {
  /** URL of its endpoint: `/mcp`, or `/sse`. */
  readonly url: string
  /** The lines that it has written until now. */
  readonly lines: readonly string[]
  close(): Promise<void>
}

const SCRIPTS = { fastmcp: 'fastmcp_server.py', v1: 'v1_server.py' } as const

function findScript(generation: PythonGeneration): string {
  return fileURLToPath(new URL(`./python/${SCRIPTS[generation]}`, import.meta.url))
}

/** The command that starts a FastMCP server which speaks over its standard streams. */
export function createStdioCommand(python: string, generation: PythonGeneration): string[] {
  return [python, '-B', findScript(generation), 'stdio']
}

/** Starts a FastMCP server as a process of its own on a free port of 127.0.0.1, and waits until it listens. */
export async function startPythonServer(
  python: string,
  generation: PythonGeneration,
  transport: PythonTransport,
): Promise<PythonServer> {
  const { origin, ...server } = await startPythonProgram(python, [findScript(generation), transport])
  return { ...server, url: `${origin}/${transport === 'sse' ? 'sse' : 'mcp'}` }
}

export interface PythonProgram {
  /** `http://127.0.0.1:<port>` */
  readonly origin: string
  /** The lines that it has written until now. */
  readonly lines: readonly string[]
  close(): Promise<void>
}

/** Starts a Python program, and waits until it says where it listens. */
export async function startPythonProgram(
  python: string,
  command: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<PythonProgram> {
  const child = spawn(python, command, {
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1', PYTHONUNBUFFERED: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const lines: string[] = []
  return { origin: await waitForOrigin(child, lines), lines, close: () => end(child) }
}

function waitForOrigin(child: ChildProcess, lines: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (error?: unknown) =>
      reject(new Error(`the Python program did not start:\n${lines.join('\n')}`, { cause: error }))
    child.once('error', fail)
    child.once('exit', fail)
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue
      createInterface(stream).on('line', (line) => {
        lines.push(line)
        const [, origin] = /running on (http:\/\/127\.0\.0\.1:\d+)/.exec(line) ?? []
        if (origin !== undefined) resolve(origin)
      })
    }
  })
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await exited
}

/** The Python of a generation, if it is there. See {@link findProgram}. */
export function findPython(generation: PythonGeneration): string | undefined {
  return findProgram(generation === 'v1' ? 'pythonV1' : 'python')
}
