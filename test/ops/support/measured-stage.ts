import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SAMPLE_USERS } from '../../../src/sandbox/users.ts'
import {
  authorize,
  createBrowser,
  createRawClient,
  createRequest,
  openConsentPage,
  type RawClient,
  readRefresh,
  redeem,
  refresh,
  sendConsent,
} from '../../support/broker-client.ts'
import { type BrokerStage, startBrokerStage } from '../../support/broker-stage.ts'
import { scripted } from '../../support/gate.ts'
import { createRequest as createMcpRequest, createToolCall, sendMcp } from '../../support/mcp-requests.ts'
import { startIssuer } from '../../support/tokens.ts'

/** A proxy with everything that is measured: broker and store, other issuers, MCP servers of every kind and condition. */
export interface MeasuredStage {
  /** Host and port of the admin listener. */
  readonly admin: string
  readonly log: () => string
  /** Does everything once that moves a metric. */
  makeTraffic(): Promise<void>
  close(): Promise<void>
}

const CLIENT_INFO = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'test', version: '1' } }
const [ALICE] = SAMPLE_USERS

export async function startMeasuredStage(): Promise<MeasuredStage> {
  const folder = mkdtempSync(join(tmpdir(), 'measured-'))
  const [issuer, dark] = await Promise.all([startIssuer(), startIssuer()])
  // Before the proxy has its keys.
  await dark.setOutage('refuse')
  const introspection = { client_id: 'proxy', client_secret: { env: 'INTROSPECTION_SECRET' } }
  const stage = await startBrokerStage({
    env: { INTROSPECTION_SECRET: 'secret-of-the-proxy' },
    config: { admin: { port: 0 }, audit: { file: join(folder, 'audit.jsonl') } },
    servers: (upstream) => [
      {
        name: 'example',
        path: '/mcp',
        upstream,
        scopes: ['mcp:tools'],
        rules: [
          { tool: 'admin_*', scopes: ['mcp:admin'] },
          { tool: 'echo', deny: true, mode: 'shadow' },
        ],
      },
      { name: 'local', path: '/local', upstream: { command: [...scripted] }, issuers: [issuer.issuer] },
      { name: 'gone', path: '/gone', upstream: 'http://127.0.0.1:1/mcp', issuers: [issuer.issuer] },
      { name: 'dark', path: '/dark', upstream, issuers: [dark.issuer] },
      { name: 'opaque', path: '/opaque', upstream, issuers: [{ issuer: issuer.issuer, introspection }] },
    ],
  })
  const { origin, adminUrl = '' } = stage.proxy
  const mint = (path: string): Promise<string> => issuer.mint({ claims: { aud: `${origin}${path}`, sub: 'carol' } })
  const client = await createRawClient(origin)
  return {
    admin: new URL(adminUrl).host,
    log: stage.proxy.log.text,
    async makeTraffic() {
      await callExample(stage, client)
      await callProcesses(`${origin}/local`, await mint('/local'))
      await post(`${origin}/gone`, await mint('/gone'), createMcpRequest('ping', {}, 1))
      await post(`${origin}/dark`, await dark.mint({ claims: { aud: `${origin}/dark` } }), createMcpRequest('ping', {}, 1))
      await post(`${origin}/opaque`, 'an opaque token', createMcpRequest('ping', {}, 1))
      await post(`${origin}/mcp`, 'not-a-token', createMcpRequest('ping', {}, 1))
      await signInBadly(origin, client)
      const resume = await stage.identityProvider.pause()
      await comeBack(origin, client)
      await resume()
    },
    async close() {
      await stage.close()
      await Promise.all([issuer.close(), dark.close()])
      rmSync(folder, { recursive: true })
    },
  }
}

async function post(url: string, user: string, body: unknown, session?: string): Promise<Response> {
  const response = await sendMcp(url, { user, body, session })
  await response.text()
  return response
}

/** Signs in, calls permitted, denied and shadowed tools, opens a stream, and refreshes. */
async function callExample({ proxy, url }: BrokerStage, client: RawClient): Promise<void> {
  const answer = await redeem(proxy.origin, client, await authorize(proxy.origin, client, ALICE))
  const { access_token: user, refresh_token: refreshToken } = (await answer.json()) as Record<string, string>
  const opened = await post(url, user ?? '', createMcpRequest('initialize', CLIENT_INFO, 1))
  const session = opened.headers.get('mcp-session-id') ?? undefined
  for (const tool of ['echo', 'echo', 'admin_reset']) await post(url, user ?? '', createToolCall(tool, { text: 'x' }), session)
  await post(url, user ?? '', createMcpRequest('tools/list', {}, 2), session)
  await refresh(proxy.origin, client, refreshToken ?? '')
}

/** Opens MCP sessions at a stdio server, one of which crashes. */
async function callProcesses(url: string, user: string): Promise<void> {
  for (const tool of ['echo', 'exit']) {
    const opened = await post(url, user, createMcpRequest('initialize', CLIENT_INFO, 1))
    await post(url, user, createToolCall(tool, { text: 'x' }), opened.headers.get('mcp-session-id') ?? undefined)
  }
}

/** A user who refuses, one for whom the identity provider gave a wrong code, a code that is used twice, a grant that does not exist. */
async function signInBadly(origin: string, client: RawClient): Promise<void> {
  const browser = createBrowser()
  await sendConsent(browser, await openConsentPage(browser, createRequest(origin, client).url), { action: 'deny' })
  await comeBack(origin, client)
  const code = await authorize(origin, client, ALICE)
  await redeem(origin, client, code)
  await redeem(origin, client, code)
  await refresh(origin, client, 'no such token')
}

/** A user who comes back from the identity provider with a wrong code. */
async function comeBack(origin: string, client: RawClient): Promise<void> {
  const browser = createBrowser()
  const page = await openConsentPage(browser, createRequest(origin, client).url)
  const leading = readRefresh(await (await sendConsent(browser, page)).text())
  const { searchParams: asked } = new URL(leading)
  const answer = new URLSearchParams({ code: 'wrong', state: asked.get('state') ?? '', iss: new URL(leading).origin })
  await browser.open(`${asked.get('redirect_uri')}?${answer}`)
}
