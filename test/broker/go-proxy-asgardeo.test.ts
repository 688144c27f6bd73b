import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { type ExampleMcpServer, startMcpServer } from '../../demo/mcp-server.ts'
import { createOAuthClient } from '../../demo/oauth-client.ts'
import { type RunningProxy, startProxy } from '../../src/app.ts'
import { loadConfigFile } from '../../src/config/load.ts'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import { ADMIN } from '../support/asgardeo/state.ts'
import { type Asgardeo, startAsgardeo } from '../support/asgardeo.ts'
import { findFreePort } from '../support/free-port.ts'
import { type CapturedLog, captureLog } from '../support/log.ts'
import { connectSdkClient, type Generation } from '../support/sdk-clients.ts'

const [alice] = SAMPLE_USERS
const fixture = (name: string) => readFileSync(new URL(`../fixtures/go-proxy/${name}.yaml`, import.meta.url), 'utf8')

interface Stage {
  readonly asgardeo: Asgardeo
  readonly mcpServer: ExampleMcpServer
  readonly folder: string
  readonly port: number
  readonly log: CapturedLog
}

let stage: Stage | undefined
let proxy: RunningProxy | undefined
afterEach(async () => {
  await proxy?.close()
  await Promise.all([stage?.asgardeo.close(), stage?.mcpServer.close()])
  if (stage) rmSync(stage.folder, { recursive: true, force: true })
  proxy = undefined
  stage = undefined
})

/** The guide has people give this one permission, and no other. */
const GUIDE = ['internal_application_mgt_create']

async function prepare(): Promise<Stage> {
  const asgardeo = await startAsgardeo({ users: SAMPLE_USERS, adminScopes: GUIDE })
  const mcpServer = await startMcpServer()
  const folder = mkdtempSync(join(tmpdir(), 'go-proxy-'))
  return { asgardeo, mcpServer, folder, port: await findFreePort(), log: captureLog() }
}

/** The old file as it is, but for where things are in this test. */
function writeConfig({ asgardeo, mcpServer, folder, port }: Stage, name: string): string {
  const block = `asgardeo:\n  org_name: "acme"\n  client_id: "${ADMIN.clientId}"\n  client_secret: "${ADMIN.clientSecret}"\n`
  const text = fixture(name)
    .replaceAll('http://localhost:8000', new URL(mcpServer.streamableHttpUrl).origin)
    .replaceAll('http://localhost:8080', `http://localhost:${port}`)
    .replace('listen_port: 8080', `listen_port: ${port}`)
    .replaceAll('https://api.asgardeo.io/t/sandbox', asgardeo.base)
  const file = join(folder, 'config.yaml')
  writeFileSync(file, `${text}\n${block}`)
  return file
}

async function start(file: string): Promise<void> {
  const { plan } = loadConfigFile(file, { env: {}, terminal: false, asgardeo: true })
  proxy = await startProxy(plan, { logDestination: (stage as Stage).log.stream })
}

const GENERATIONS: Generation[] = ['v1', 'v2 legacy', 'v2 auto']

describe('the configuration that the Go proxy came with, and the settings of its Asgardeo guide', () => {
  it.each(GENERATIONS)('start unchanged with --asgardeo, and serve the %s client up to a tool call', async (generation) => {
    stage = await prepare()
    await start(writeConfig(stage, 'shipped-v1.2'))
    const oauth = createOAuthClient({ name: 'Client', redirectUri: 'http://localhost:50124/callback' })
    const url = `http://localhost:${stage.port}/mcp`
    const client = await connectSdkClient({ generation, transport: 'streamable', url, oauth, user: alice })
    expect(await client.callTool('echo', { message: 'hello' })).toContain('hello')
    await client.close()
    expect(stage.asgardeo.applications.size).toBe(1)
    expect(stage.log.text()).not.toContain(ADMIN.clientSecret)
  })

  it('serve the client after a restart, with one permission, and leave no secret readable in the file of the store', async () => {
    stage = await prepare()
    const file = writeConfig(stage, 'shipped-v1.2')
    const oauth = createOAuthClient({ name: 'Client', redirectUri: 'http://localhost:50124/callback' })
    const url = `http://localhost:${stage.port}/mcp`
    for (let starts = 0; starts < 2; starts++) {
      await start(file)
      const client = await connectSdkClient({ generation: 'v2 auto', transport: 'streamable', url, oauth, user: alice })
      expect(await client.callTool('echo', { message: 'hello' })).toContain('hello')
      await client.close()
      await proxy?.close()
      proxy = undefined
    }
    const [application, ...more] = stage.asgardeo.applications.values()
    expect(more).toEqual([])
    const kept = readFileSync(join(stage.folder, 'open-mcp-auth-proxy.db'))
    expect(kept.length).toBeGreaterThan(0)
    for (const secret of [ADMIN.clientSecret, application?.oidc?.clientSecret ?? '?', application?.oidc?.clientId ?? '?'])
      expect(kept.includes(secret)).toBe(false)
  })
})
