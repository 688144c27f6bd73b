// Codex: its command line signs in, its app server calls tools without a model.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { findProgram } from '../programs.ts'
import type { Environment } from './environment.ts'
import packages from './packages.json' with { type: 'json' }
import { run, start, within } from './run.ts'
import { describeWalk, type WalkedClient } from './walk.ts'

const program = findProgram('codex')

/** No model, no reports, and tokens in a file. */
const CONFIG = (url: string) => `
model_provider = "none"
mcp_oauth_credentials_store = "file"
[model_providers.none]
name = "none"
base_url = "http://127.0.0.1:9/v1"
[analytics]
enabled = false
[mcp_servers.example]
url = "${url}"
`

async function open(environment: Environment): Promise<WalkedClient> {
  mkdirSync(join(environment.folder, '.codex'))
  writeFileSync(join(environment.folder, '.codex', 'config.toml'), CONFIG(environment.stage.url))
  // Its metadata document is on the internet, where tests do not go.
  const login = ['mcp', 'login', '--oauth-client-registration', 'dcr', 'example']
  const signedIn = await run(environment, [process.execPath, program ?? '', ...login])
  if (signedIn.exitCode !== 0) throw new Error(signedIn.output)
  const ask = startAppServer(environment)
  await ask('initialize', { clientInfo: { name: 'walk', version: '1.0.0' }, capabilities: null })
  const { result } = await ask('thread/start', { cwd: environment.folder })
  const threadId = result.thread.id
  return {
    async listTools() {
      const { result } = await ask('mcpServerStatus/list', { detail: 'full' })
      return Object.keys(result.data[0].tools)
    },
    async callTool(tool, parameters) {
      const { result, error } = await ask('mcpServer/tool/call', { threadId, server: 'example', tool, arguments: parameters })
      return { succeeded: result !== undefined, text: JSON.stringify(result ?? error) }
    },
  }
}

// biome-ignore lint/suspicious/noExplicitAny: what comes is Codex's own protocol
type Ask = (method: string, params: unknown) => Promise<{ readonly result?: any; readonly error?: unknown }>

/** Its JSON-RPC over standard streams. */
function startAppServer(environment: Environment): Ask {
  const child = start(environment, [process.execPath, program ?? '', 'app-server'])
  let errors = ''
  child.stderr.on('data', (chunk) => (errors += chunk))
  const waiting = new Map<number, (answer: Awaited<ReturnType<Ask>>) => void>()
  createInterface(child.stdout).on('line', (line) => {
    const message = JSON.parse(line)
    if (message.method === undefined) waiting.get(message.id)?.(message)
  })
  let last = 0
  return (method, params) => {
    last += 1
    const answered = new Promise<Awaited<ReturnType<Ask>>>((resolve) => waiting.set(last, resolve))
    child.stdin.write(`${JSON.stringify({ id: last, method, params })}\n`)
    return within(`Codex to answer ${method}`, () => errors, child, answered)
  }
}

describeWalk({ client: 'Codex', version: packages['@openai/codex'], isThere: program !== undefined, open })
