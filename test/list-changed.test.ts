// A reload that changes what lists show, as both SDK clients see it in sessions that are open.
import { createRequire } from 'node:module'
import {
  Client as ClientV2,
  SSEClientTransport as SseV2,
  StreamableHTTPClientTransport as StreamableV2,
} from '@modelcontextprotocol/client'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { SSEClientTransport as SseV1 } from '@modelcontextprotocol/sdk/client/sse.js'
import { StreamableHTTPClientTransport as StreamableV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type EverythingServer, startEverythingServer } from './support/everything-server.ts'
import { startTestProxy, type TestProxy } from './support/proxy.ts'
import { startIssuer, type TestIssuer } from './support/tokens.ts'

const command = [
  process.execPath,
  createRequire(import.meta.url).resolve('@modelcontextprotocol/server-everything/dist/index.js'),
  'stdio',
]
const audience = ['https://mcp.example.com']
const access = (tools: string[]) => [{ everyone: true as const, tools, prompts: ['*'], resources: ['demo://**'] }]

let issuer: TestIssuer
let servers: EverythingServer[]
let proxy: TestProxy
let token: string

const serversShowing = (tools: string[]) => [
  { path: '/http', upstream: servers[0]?.url ?? '', audience, access: access(tools) },
  { name: 'sse', sse: { path: '/old/sse', upstream: servers[1]?.url ?? '' }, audience, access: access(tools) },
  { path: '/stdio', upstream: { command }, sse: { path: '/stdio/sse' }, audience, access: access(tools) },
]

beforeAll(async () => {
  ;[issuer, ...servers] = await Promise.all([
    startIssuer(),
    startEverythingServer('streamableHttp'),
    startEverythingServer('sse'),
  ])
  token = await issuer.mint({ claims: { aud: audience } })
  proxy = await startTestProxy({ issuers: [issuer.issuer], servers: serversShowing(['echo']) })
})
afterAll(async () => {
  await proxy?.close()
  await Promise.all([issuer, ...(servers ?? [])].map((part) => part?.close()))
})

type AnyClient = ClientV1 | ClientV2

/** @returns the client when its stream is open, and what resolves when it is told that the tools have changed */
async function connect(generation: 'v1' | 'v2', path: string) {
  const changed = Promise.withResolvers<void>()
  const opened = Promise.withResolvers<void>()
  const client = generation === 'v1' ? openV1(changed.resolve) : openV2(changed.resolve)
  const fetchAndTell = async (target: URL | string, init?: RequestInit): Promise<Response> => {
    const response = await fetch(target, init)
    if ((init?.method ?? 'GET') === 'GET') opened.resolve()
    return response
  }
  const options = { requestInit: { headers: { authorization: `Bearer ${token}` } }, fetch: fetchAndTell }
  const [Sse, Streamable] = generation === 'v1' ? [SseV1, StreamableV1] : [SseV2, StreamableV2]
  const Transport = path.endsWith('/sse') ? Sse : Streamable
  await client.connect(new Transport(new URL(`${proxy.origin}${path}`), options) as never)
  await opened.promise
  return { client, changed: changed.promise }
}

const info = { name: 'test-client', version: '1.0.0' }

function openV1(onChanged: () => void): AnyClient {
  const client = new ClientV1(info)
  client.setNotificationHandler(ToolListChangedNotificationSchema, onChanged)
  return client
}

function openV2(onChanged: () => void): AnyClient {
  const client = new ClientV2(info, { versionNegotiation: { mode: 'legacy' } })
  client.setNotificationHandler('notifications/tools/list_changed', onChanged)
  return client
}

const listTools = async (client: AnyClient) => (await client.listTools()).tools.map(({ name }) => name)

it.each([
  ['v1', '/http'],
  ['v1', '/old/sse'],
  ['v1', '/stdio'],
  ['v1', '/stdio/sse'],
  ['v2', '/http'],
  ['v2', '/old/sse'],
  ['v2', '/stdio'],
  ['v2', '/stdio/sse'],
] as const)('a %s client at %s asks again after a reload, and sees what it may use now', async (generation, path) => {
  await proxy.reloadWith({ servers: serversShowing(['echo']) })
  const { client, changed } = await connect(generation, path)
  expect(await listTools(client)).toEqual(['echo'])
  await proxy.reloadWith({ servers: serversShowing(['echo', 'get-sum']) })
  await changed
  expect(await listTools(client)).toEqual(['echo', 'get-sum'])
  await client.close()
})
