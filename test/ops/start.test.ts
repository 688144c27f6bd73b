// What a start loads and takes, of the package as it is installed, beside a bare server of Node's in the same run.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findFreePort } from '../support/free-port.ts'
import { waitUntil } from '../support/processes.ts'
import { startIssuer, type TestIssuer } from '../support/tokens.ts'
import { send } from './support/client.ts'
import { startEchoServer } from './support/echo-server.ts'
import { createCall } from './support/fleet/requests.ts'
import { reportTarget } from './support/target.ts'

const ROUNDS = 5
/** The process collects garbage some seconds after its start, when it has little to do: on a busy machine that takes longer. */
const REST_MS = 60_000
const MAX_FILES = 45
const MAX_BYTES = 2.75 * 1024 * 1024
/** Resident memory hardly depends on what else the machine does. */
const MAX_MEMORY_RATIO = 1.42
const root = resolve(import.meta.dirname, '../..')
const command = join(root, 'dist/command/main.js')
const preload = join(import.meta.dirname, 'support/loaded-modules.mjs')

const BARE_SERVER = `import { createServer } from 'node:http'
createServer((_request, response) => response.end()).listen(Number(process.argv[2]), '127.0.0.1')`

let folder: string
let issuer: TestIssuer
let bare: string
let config: string
let port: number

beforeAll(async () => {
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: root, stdio: 'inherit' })
  folder = mkdtempSync(join(tmpdir(), 'start-'))
  issuer = await startIssuer()
  port = await findFreePort()
  bare = join(folder, 'bare.mjs')
  writeFileSync(bare, BARE_SERVER)
  config = join(folder, 'config.json')
  const servers = [{ name: 'echo', path: '/mcp', upstream: 'http://127.0.0.1:9/mcp' }]
  const listen = { port }
  writeFileSync(config, JSON.stringify({ public_url: `http://localhost:${port}`, listen, issuers: [issuer.issuer], servers }))
}, 180_000)
afterAll(async () => {
  await issuer?.close()
  rmSync(folder, { recursive: true, force: true })
})

/**
 * Starts a program (without the variables by which Node keeps compiled code for the tests), waits for a good answer, and ends it.
 *
 * @param use - called in between, with the process and how long that took
 */
async function withStarted<T>(
  args: readonly string[],
  path: string,
  use: (child: ChildProcess, ms: number) => T | Promise<T>,
): Promise<T> {
  const startedAt = performance.now()
  const child = spawn(process.execPath, args, { stdio: 'ignore', env: {} })
  try {
    await waitForAnswer(child, path)
    return await use(child, performance.now() - startedAt)
  } finally {
    await end(child)
  }
}

async function waitForAnswer(child: ChildProcess, path: string): Promise<void> {
  const isServed = async (): Promise<boolean> => {
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`)
    return (await fetch(`http://127.0.0.1:${port}${path}`).catch(() => undefined))?.status === 200
  }
  await waitUntil(isServed, `${path} is answered`, 30_000)
}

/** MiB of resident memory when the process rests. */
async function waitForRest(child: ChildProcess, most: number): Promise<number> {
  await waitUntil(() => readResident(child) <= most, `it takes at most ${most} MiB at rest`, REST_MS)
  return readResident(child)
}

function readResident({ pid }: ChildProcess): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return
  const ended = new Promise((done) => child.once('exit', done))
  child.kill('SIGKILL')
  await ended
}

interface LoadedFile {
  readonly url: string
  readonly bytes: number
}

/** The files that the command loads until it is ready. */
async function listLoaded(): Promise<LoadedFile[]> {
  const child = spawn(process.execPath, ['--import', preload, command, '--config', config], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    env: {},
  })
  const files: LoadedFile[] = []
  createInterface(child.stdio[3] as NodeJS.ReadableStream).on('line', (line) => files.push(JSON.parse(line) as LoadedFile))
  try {
    await waitForAnswer(child, '/readyz')
  } finally {
    await end(child)
  }
  return files
}

it('has the threads that long bodies are read in', async () => {
  const server = await startEchoServer()
  const origin = `http://localhost:${port}`
  const rules = [{ tool: 'echo', require: 'args.amount <= 100' }]
  const servers = [{ name: 'echo', path: '/mcp', upstream: server.url, rules }]
  const file = join(folder, 'long.json')
  writeFileSync(file, JSON.stringify({ public_url: origin, listen: { port }, issuers: [issuer.issuer], servers }))
  const child = spawn(process.execPath, [command, '--config', file], { stdio: 'ignore', env: {} })
  try {
    await waitForAnswer(child, '/readyz')
    const token = await issuer.mint({ claims: { aud: `${origin}/mcp` } })
    const headers = {
      authorization: `Bearer ${token}`,
      host: new URL(origin).host,
      accept: 'application/json, text/event-stream',
    }
    const ask = async (amount: number): Promise<number> => {
      const body = JSON.stringify(createCall('1', 'echo', { amount, note: 'x'.repeat(100_000) }))
      return (await send(`http://127.0.0.1:${port}/mcp`, { headers, body })).status
    }
    expect([await ask(5), await ask(500)]).toEqual([200, 403])
  } finally {
    await end(child)
    await server.close()
  }
})

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

describe('R6', () => {
  it('loads a few files at a start, none of what the configuration does not use, and stays small at rest', async () => {
    const loaded = await listLoaded()
    const bytes = loaded.reduce((sum, file) => sum + file.bytes, 0)
    expect(loaded.length).toBeGreaterThan(5)
    expect(loaded.length).toBeLessThanOrEqual(MAX_FILES)
    expect(bytes).toBeLessThanOrEqual(MAX_BYTES)
    // Only `dist/command`: what else there is belongs to configurations that name it.
    expect(loaded.filter(({ url }) => !url.includes('/dist/command/'))).toEqual([])
    // The paths of the broker are constants, which other endpoints must not take.
    expect(
      loaded.filter(({ url }) => /\/(?:broker(?!-paths)|sandbox|doctor|rewrite|redis|sqlite|audit|sdk)[\w-]*\.js$/.test(url)),
    ).toEqual([])
    const [plain, ours] = [[] as number[], [] as number[]]
    for (let round = 0; round < ROUNDS; round += 1) {
      plain.push(await withStarted([bare, String(port)], '/', (_child, ms) => ms))
      ours.push(await withStarted([command, '--config', config], '/readyz', (_child, ms) => ms))
    }
    const [bareMs, ms] = [median(plain), median(ours)]
    const bareMiB = await withStarted([bare, String(port)], '/', readResident)
    const most = bareMiB * MAX_MEMORY_RATIO
    const miB = await withStarted([command, '--config', config], '/readyz', (child) => waitForRest(child, most))
    expect(miB).toBeLessThanOrEqual(most)
    reportTarget('R6', 'a start loads few files and stays small (aims: 400 ms to ready, 80 MiB at rest)', {
      ...{ files: loaded.length, 'KiB of source': Math.round(bytes / 1024) },
      ...{ 'ms to ready': ms, 'ms bare': bareMs, ratio: ms / bareMs },
      ...{ 'MiB at rest': miB, 'MiB bare': bareMiB, 'ratio at rest': miB / bareMiB },
    })
  })
})
