// docs/recipes/access-keys.md, as it stands there: a script with curl and an access key, at MCP servers with sessions and without.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { type NodeIncomingMessageLike, toNodeHandler } from '@modelcontextprotocol/node'
import { createMcpHandler } from '@modelcontextprotocol/server'
import { afterEach, describe, expect, it } from 'vitest'
import { createExampleServer } from '../../demo/mcp-server/example.ts'
import { startMcpServer } from '../../demo/mcp-server.ts'
import { closeServer, listenOnLoopback } from '../../src/sandbox/listen.ts'
import { startKeyStage } from '../support/key-stage.ts'
import { runProgram } from '../support/run-program.ts'

const open: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

const page = readFileSync(new URL('../../docs/recipes/access-keys.md', import.meta.url), 'utf8')
const [, script = ''] = /```sh\n(mcp\(\)[\s\S]*?)```/.exec(page) ?? []

/** The example server, without MCP sessions. */
async function startStateless(): Promise<string> {
  const handler = createMcpHandler(() => createExampleServer(new Map()))
  const handle = toNodeHandler(handler)
  const server = createServer((request, response) => void handle(request as NodeIncomingMessageLike, response))
  const port = await listenOnLoopback(server, 0)
  open.push(async () => {
    await handler.close()
    await closeServer(server)
  })
  return `http://127.0.0.1:${port}/mcp`
}

async function startStateful(): Promise<string> {
  const { streamableHttpUrl, close } = await startMcpServer()
  open.push(close)
  return streamableHttpUrl
}

const hasCurl = spawnSync('curl', ['--version']).status === 0

describe.skipIf(!hasCurl && process.env.CI !== 'true')('the script of the recipe', () => {
  it.each([
    ['with MCP sessions', startStateful],
    ['without MCP sessions', startStateless],
  ])('lists the tools of a server %s', async (_name, start) => {
    const upstream = await start()
    const stage = await startKeyStage({ server: { upstream } })
    open.push(stage.close)
    const key = await stage.create('--name', 'nightly', '--server', 'files', '--scopes', 'files:read')
    expect(script).toContain('https://mcp.example.com/files')
    const text = script.replaceAll('https://mcp.example.com/files', `${stage.origin}/files`)
    for (const shell of ['sh', 'bash']) {
      const { code, output, error } = await runProgram(shell, ['-euc', text], { MCP_KEY: key })
      expect([code, error]).toEqual([0, ''])
      expect(output).toMatch(/"tools":\[\{"name":"[^"]+"/)
      expect(output).not.toContain('"error"')
    }
    expect(script).not.toMatch(/-H[^|]*\$MCP_KEY/)
  })
})
