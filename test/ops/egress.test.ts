// All that the proxy asks others for, with an egress proxy that is not ours. Each destination counts its connections: there are as many as
// tunnels, so none was opened directly.
import { lookup } from 'node:dns/promises'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { hostname } from 'node:os'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadConfigValue } from '../../src/config/load.ts'
import { examine } from '../../src/doctor/doctor.ts'
import { closeServer } from '../../src/sandbox/listen.ts'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import { callMcp, createRawClient, createRequest, obtainTokens, readJson, refresh } from '../support/broker-client.ts'
import { BROKER_CLIENT_SECRET, type BrokerStage, startBrokerStage } from '../support/broker-stage.ts'
import { answerJson, type RecordingUpstream, startRecordingUpstream } from '../support/recording-upstream.ts'
import { hasProgram } from './support/programs.ts'
import { startTinyproxy, type Tinyproxy } from './support/tinyproxy.ts'

const [alice] = SAMPLE_USERS
const PASSWORD = 'password-at-tinyproxy'
/** This machine under a name that is not loopback to us. */
const MACHINE = hostname().replace(/\..*/, '')

/** A port of this machine's name that leads to one of loopback, and counts connections. */
interface Door {
  readonly authority: string
  connections(): number
  leadTo(origin: string): void
  close(): Promise<void>
}

async function openDoor(): Promise<Door> {
  let count = 0
  let target = new URL('http://localhost')
  const server = createServer({ keepAliveTimeout: 300_000 }, (incoming, response) => {
    // The provider knows itself by its own host only.
    const headers = { ...incoming.headers, host: target.host }
    const onward = request(
      { port: target.port, path: incoming.url, method: incoming.method, headers, agent: false },
      (answer) => {
        response.writeHead(answer.statusCode ?? 500, answer.headers)
        answer.pipe(response)
      },
    )
    onward.on('error', () => response.destroy())
    incoming.pipe(onward)
  })
  server.on('connection', () => {
    count += 1
  })
  await new Promise<void>((resolve) => server.listen(0, resolve))
  const { port } = server.address() as AddressInfo
  return {
    authority: `${MACHINE}:${port}`,
    connections: () => count,
    leadTo(origin) {
      target = new URL(origin)
    },
    close: () => closeServer(server),
  }
}

describe.runIf(hasProgram('tinyproxy', '-v'))('with tinyproxy as the only way out', () => {
  let tinyproxy: Tinyproxy
  let provider: Door
  let server: Door
  let mcpServer: RecordingUpstream
  let stage: BrokerStage
  beforeAll(async () => {
    await lookup(MACHINE)
    tinyproxy = await startTinyproxy('proxy-user', PASSWORD)
    mcpServer = await startRecordingUpstream(answerJson({ jsonrpc: '2.0', id: 1, result: { protocolVersion: '2025-11-25' } }))
    ;[provider, server] = await Promise.all([openDoor(), openDoor()])
    const egress_proxy = { url: tinyproxy.url, username: 'proxy-user', password: { env: 'PASSWORD' } }
    stage = await startBrokerStage({
      provider: { metadata_url: `http://${provider.authority}/.well-known/openid-configuration` },
      servers: () => [{ name: 'example', path: '/mcp', upstream: `http://${server.authority}/mcp`, scopes: ['mcp:tools'] }],
      config: { egress_proxy },
      env: { PASSWORD },
    })
    provider.leadTo(stage.identityProvider.issuer)
    server.leadTo(mcpServer.origin)
  })
  afterAll(async () => {
    await stage?.close()
    await Promise.all([provider?.close(), server?.close(), mcpServer?.close(), tinyproxy?.close()])
  })

  const countTunnels = ({ authority }: Door): number => tinyproxy.listTunnels().filter((one) => one === authority).length

  it('users sign in, call and refresh, and nothing is reached directly', async () => {
    const { origin } = stage.proxy
    const client = await createRawClient(origin)
    const tokens = await obtainTokens(origin, client, alice)
    for (let i = 0; i < 5; i++) expect(await callMcp(stage.url, tokens.access_token)).toBe(200)
    const refreshed = await readJson(await refresh(origin, client, tokens.refresh_token))
    expect(await callMcp(stage.url, refreshed.access_token)).toBe(200)
    for (const door of [provider, server]) {
      expect(door.connections()).toBeGreaterThan(0)
      expect(countTunnels(door)).toBe(door.connections())
    }
    expect(countTunnels(server)).toBe(1)
    expect(tinyproxy.listOthers()).toEqual([])
    console.log(`egress: ${provider.connections() + server.connections()} connections, all of them tunnels of tinyproxy`)
  })

  it('metadata of clients in private networks is not asked for, by name or address', async () => {
    const before = tinyproxy.listTunnels().length
    for (const host of [MACHINE, 'localhost', '10.0.0.1', '169.254.169.254']) {
      const client = { id: `https://${host}/client.json`, redirectUri: 'http://localhost/callback', secret: undefined }
      const response = await fetch(createRequest(stage.proxy.origin, client).url, { redirect: 'manual' })
      expect(response.status).toBeGreaterThanOrEqual(400)
    }
    expect(tinyproxy.listTunnels()).toHaveLength(before)
  })

  it('the doctor goes the same way, and tells failures of tinyproxy from those of a server', async () => {
    const examineWith = (password: string, upstream: string) =>
      examine(
        loadConfigValue(
          {
            egress_proxy: { url: tinyproxy.url, username: 'proxy-user', password: { env: 'PASSWORD' } },
            issuers: [stage.identityProvider.issuer],
            servers: [{ path: '/mcp', upstream }],
          },
          { env: { PASSWORD: password }, directory: import.meta.dirname, terminal: false },
        ).plan,
        undefined,
      )
    const find = async (password: string, upstream: string) =>
      (await examineWith(password, upstream)).findings.find(({ id }) => id.startsWith('upstream'))
    const connections = server.connections()
    expect(await find(PASSWORD, `http://${server.authority}/mcp`)).toMatchObject({ id: 'upstream' })
    expect(server.connections()).toBeGreaterThan(connections)
    expect(countTunnels(server)).toBe(server.connections())
    const refused = await find('wrong-password', `http://${server.authority}/mcp`)
    expect(refused).toMatchObject({
      id: 'upstream_unreachable',
      fix: expect.stringContaining('user name and password of the egress proxy'),
    })
    const unreachable = await find(PASSWORD, `http://${MACHINE}:1/mcp`)
    expect(unreachable).toMatchObject({
      says: expect.stringContaining(`could not reach ${MACHINE}:1`),
      fix: expect.stringContaining('no_proxy'),
    })
  })

  it('no secret is in the log', () => {
    for (const secret of [PASSWORD, BROKER_CLIENT_SECRET]) expect(stage.proxy.log.text()).not.toContain(secret)
  })
})
