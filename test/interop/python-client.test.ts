// A client that nobody here wrote: the official Python SDK, which finds its own way to a token.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { signIn } from '../../demo/browser.ts'
import { SAMPLE_USERS, type User } from '../../src/sandbox/users.ts'
import { type ProtectedServers, protect } from './protected-servers.ts'
import { findPython, type PythonServer, startPythonServer } from './python-server.ts'

const [alice, bob] = SAMPLE_USERS
const REDIRECT_URI = 'http://localhost:50125/callback'
const script = fileURLToPath(new URL('./python/client.py', import.meta.url))
const python = findPython('fastmcp')

let http: PythonServer
let sse: PythonServer
let guarded: ProtectedServers

beforeAll(async () => {
  if (python === undefined) return
  ;[http, sse] = await Promise.all([startPythonServer(python, 'fastmcp', 'http'), startPythonServer(python, 'fastmcp', 'sse')])
  guarded = await protect({ http: http.url, sse: sse.url })
})
afterAll(async () => {
  await guarded?.close()
  await Promise.all([http?.close(), sse?.close()])
})

interface Story {
  /** What the client said, in order, each member by its name. */
  readonly said: Readonly<Record<string, unknown>>
  /** How often somebody had to sign in. */
  readonly signIns: number
}

/** Lets the client tell its story; whenever it opens a browser, a user signs in there. */
async function run(program: string, parameters: readonly string[], user: User): Promise<Story> {
  const child = spawn(program, [script, ...parameters], {
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const exited = new Promise((resolve) => child.once('exit', resolve))
  let errors = ''
  child.stderr.on('data', (chunk) => (errors += chunk))
  const said: Record<string, unknown> = {}
  let signIns = 0
  for await (const line of createInterface(child.stdout)) {
    const { open, ...more } = JSON.parse(line) as { open?: string }
    Object.assign(said, more)
    if (open === undefined) continue
    signIns += 1
    child.stdin.write(`${(await signIn(open, user)).href}\n`)
  }
  child.stdin.end()
  await exited
  if (child.exitCode !== 0) throw new Error(`the Python client failed:\n${errors}`)
  return { said, signIns }
}

const EVERYTHING = {
  tools: expect.arrayContaining(['count', 'echo_tool']),
  echo: 'Tool echo: Grüße, 世界',
  count: 'Counted to 3',
  progress: [1, 2, 3],
  resource: 'Resource echo: hello',
  prompt: expect.stringContaining('hello'),
}

describe.skipIf(python === undefined)('the Python client', () => {
  it.each([
    ['auto', '2026-07-28'],
    ['legacy', '2025-11-25'],
  ])('signs its user in and uses everything but what she may not grant (%s)', async (mode, revision) => {
    const { said } = await run(python ?? '', [guarded.url, 'http', REDIRECT_URI, mode], alice)
    expect(said).toMatchObject({ ...EVERYTHING, revision, deleted: false })
    expect(http.lines.join('\n')).not.toContain('delete_everything was called')
  })

  // Over HTTP+SSE with a user who may: this client waits for ever for the answer to a message that was refused for good.
  it.each([
    ['Streamable HTTP', '2026-07-28'],
    ['HTTP+SSE', '2025-11-25'],
  ])('asks for the missing scope after a refusal, and gets through when its user grants it (%s)', async (transport, revision) => {
    const place = transport === 'HTTP+SSE' ? [guarded.sseUrl, 'sse'] : [guarded.url, 'http']
    const { said, signIns } = await run(python ?? '', [...place, REDIRECT_URI], bob)
    expect(signIns).toBe(2)
    expect(said).toMatchObject({ ...EVERYTHING, revision, deleted: true })
  })
})
