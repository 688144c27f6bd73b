import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { path, publicHost } from './plan.ts'
import { findProgram } from './programs.ts'
import { clientHeaders, formatCall } from './workload.ts'

/** What the load consists of, in files, since a thousand tokens are too long for a command line. */
export interface LoadFiles {
  readonly folder: string
  readonly headers: string
  readonly tokens: string
  readonly body: string
  /** Place of the token that comes first. */
  readonly start: number
}

export interface LoadResult {
  readonly requests: number
  readonly seconds: number
  /** Connections and requests that failed, and answers other than 2xx. */
  readonly failures: number
}

/** Calls one server with every token in turn, as fast as it answers; each run goes on where the last one at this server ended. */
export interface Load {
  readonly tool: 'wrk' | 'autocannon'
  /** @throws Error when a request failed or was refused: what is measured then is something else */
  run(port: number, seconds: number): Promise<LoadResult>
  remove(): void
}

/** Enough to keep one process busy on another processor's answers. */
const connections = 32

/** @param tool - that is called */
export function createLoad(tokens: readonly string[], tool?: string): Load {
  const written = writeFiles(tokens, tool)
  const starts = new Map<number, number>()
  const wrk = findProgram('wrk')
  return {
    tool: wrk === undefined ? 'autocannon' : 'wrk',
    async run(port, seconds) {
      const start = starts.get(port) ?? 0
      const files = { ...written, start }
      const [program, ...args] = wrk === undefined ? formatAutocannon(port, seconds, files) : formatWrk(wrk, port, seconds, files)
      const { stdout } = await promisify(execFile)(program, args)
      const result = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as LoadResult
      if (result.failures > 0 || result.requests === 0)
        throw new Error(`${result.failures} of ${result.requests} requests failed`)
      starts.set(port, (start + result.requests) % tokens.length)
      return result
    },
    remove: () => rmSync(written.folder, { recursive: true }),
  }
}

function writeFiles(tokens: readonly string[], tool: string | undefined): Omit<LoadFiles, 'start'> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-load-'))
  const write = (name: string, text: string): string => {
    const file = join(folder, name)
    writeFileSync(file, text, { mode: 0o600 })
    return file
  }
  const headers = Object.entries({ Host: publicHost, ...clientHeaders })
  return {
    folder,
    headers: write('headers', headers.map((pair) => `${pair.join('\t')}\n`).join('')),
    tokens: write('tokens', tokens.map((token) => `${token}\n`).join('')),
    body: write('body', formatCall(1, tool)),
  }
}

function formatWrk(wrk: string, port: number, seconds: number, files: LoadFiles): [string, ...string[]] {
  const script = fileURLToPath(new URL('load.lua', import.meta.url))
  const threads = ['-t1', '--timeout', '10s', `-c${connections}`, `-d${seconds}s`]
  return [wrk, ...threads, '-s', script, formatUrl(port), '--', files.headers, files.tokens, files.body, String(files.start)]
}

function formatAutocannon(port: number, seconds: number, files: LoadFiles): [string, ...string[]] {
  const script = fileURLToPath(new URL('load-autocannon.ts', import.meta.url))
  return [process.execPath, script, formatUrl(port), String(seconds), String(connections), JSON.stringify(files)]
}

function formatUrl(port: number): string {
  return `http://127.0.0.1:${port}${path}`
}
