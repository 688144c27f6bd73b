// What `explain` says of users who signed in with the proxy: their groups are not in the token.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import { createRawClient, obtainTokens } from '../support/broker-client.ts'
import { type BrokerStage, startBrokerStage } from '../support/broker-stage.ts'

const main = new URL('../../src/cli/main.ts', import.meta.url).pathname
const directory = mkdtempSync(join(tmpdir(), 'explain-broker-'))
let stage: BrokerStage | undefined
afterEach(async () => {
  await stage?.close()
  rmSync(directory, { recursive: true })
})

async function explain(credential: readonly string[], input: string) {
  const child = spawn(process.execPath, [main, 'explain', '--tool', 'refund', ...credential], {
    cwd: directory,
    env: { ...process.env, SECRET: 'secret-of-the-broker-at-its-provider' },
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (output += chunk))
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (output += chunk))
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  const [code] = await once(child, 'close')
  return { code: code as number, output: output.replaceAll(/\s+/g, ' ') }
}

it('verifies a token of the broker, says that groups are kept elsewhere, and takes them from claims', {
  timeout: 60_000,
}, async () => {
  stage = await startBrokerStage()
  const { origin, port } = stage.proxy
  const provider = { issuer: stage.identityProvider.issuer, client_id: 'the-broker', client_secret: { env: 'SECRET' } }
  const config = {
    public_url: origin,
    listen: { port },
    identity_provider: { ...provider, groups_claim: 'groups' },
    broker: { store: { kind: 'memory' } },
    servers: [
      { path: '/mcp', upstream: stage.mcpServer.streamableHttpUrl, access: [{ groups: ['support'], tools: ['refund'] }] },
    ],
  }
  writeFileSync(join(directory, 'config.yaml'), JSON.stringify(config))
  const [, bob] = SAMPLE_USERS
  const tokens = await obtainTokens(origin, await createRawClient(origin), bob, { scope: undefined })
  const byToken = await explain(['--token', '-'], tokens.access_token)
  expect(byToken.output).toMatch(/explain these users by --claims/)
  expect(byToken.output).toContain('subject bob')
  expect(byToken.code).toBe(3)
  expect(byToken.output).not.toContain(tokens.access_token.slice(0, 200))
  const byClaims = await explain(['--claims', '{"sub":"bob","groups":["support"]}'], '')
  expect(byClaims).toMatchObject({ code: 0, output: expect.not.stringContaining('explain these users') })
})
