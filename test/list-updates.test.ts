// What a server says of its own accord about resources, as both SDK clients hear it where some are hidden.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  Client as ClientV2,
  SSEClientTransport as SseV2,
  StreamableHTTPClientTransport as StreamableV2,
} from '@modelcontextprotocol/client'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { SSEClientTransport as SseV1 } from '@modelcontextprotocol/sdk/client/sse.js'
import { StreamableHTTPClientTransport as StreamableV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { ResourceUpdatedNotificationSchema } from '@modelcontextprotocol/sdk/types.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestProxy, type TestProxy } from './support/proxy.ts'
import { type RecordingUpstream, startRecordingUpstream } from './support/recording-upstream.ts'
import { startIssuer, type TestIssuer } from './support/tokens.ts'

const [FIRST, LAST] = ['open://first', 'open://last']
const TOLD = [FIRST, 'secret://plan', 'SECRET://plan', 'secret://other', LAST]

/** The messages with which a server answers another one. */
const answer = `(told) => ({ id, method, params }) => {
  if (id === undefined) return []
  const reply = (result) => [{ jsonrpc: '2.0', id, result }]
  const capabilities = { tools: {}, prompts: {}, resources: { subscribe: true }, completions: {} }
  if (method === 'initialize')
    return reply({ protocolVersion: params.protocolVersion, capabilities, serverInfo: { name: 'x', version: '1' } })
  if (method === 'completion/complete') return reply({ completion: { values: ['plan'] } })
  const updates = told.map((uri) => ({ jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri } }))
  return method === 'tools/call' ? [...updates, ...reply({ content: [] })] : reply({})
}`
const createAnswer = new Function(`return ${answer}`)() as (
  told: readonly string[],
) => (message: { id?: unknown; method?: string }) => object[]

const directory = mkdtempSync(join(tmpdir(), 'updates-'))
const script = join(directory, 'server.mjs')
writeFileSync(
  script,
  `import { createInterface } from 'node:readline'
const answer = (${answer})(${JSON.stringify(TOLD)})
createInterface({ input: process.stdin }).on('line', (line) => {
  for (const message of answer(JSON.parse(line))) console.log(JSON.stringify(message))
})`,
)

let issuer: TestIssuer
let upstream: RecordingUpstream
let proxy: TestProxy
let token: string

beforeAll(async () => {
  const answerAll = createAnswer(TOLD)
  upstream = await startRecordingUpstream(async (request, response) => {
    if (request.method !== 'POST') return void response.writeHead(405).end()
    const message = JSON.parse((await request.body).toString())
    if (message.id === undefined) return void response.writeHead(202).end()
    const events = answerAll(message).map((one) => `event: message\ndata: ${JSON.stringify(one)}\n\n`)
    response.writeHead(200, { 'content-type': 'text/event-stream' }).end(events.join(''))
  })
  issuer = await startIssuer()
  const audience = ['https://mcp.example.com']
  token = await issuer.mint({ claims: { aud: audience } })
  const access = [{ everyone: true as const, tools: ['poke'], prompts: ['open'], resources: ['open://**'] }]
  proxy = await startTestProxy({
    issuers: [issuer.issuer],
    servers: [
      { path: '/http', upstream: `${upstream.origin}/mcp`, audience, access },
      { path: '/stdio', upstream: { command: [process.execPath, script] }, sse: { path: '/stdio/sse' }, audience, access },
    ],
  })
})
afterAll(async () => {
  await proxy?.close()
  await Promise.all([issuer, upstream].map((part) => part?.close()))
  rmSync(directory, { recursive: true })
})

async function connect(generation: 'v1' | 'v2', path: string) {
  const heard: string[] = []
  const ended = Promise.withResolvers<void>()
  const hear = (uri: string): void => {
    heard.push(uri)
    if (uri === LAST) ended.resolve()
  }
  const client = generation === 'v1' ? createV1(hear) : createV2(hear)
  const options = { requestInit: { headers: { authorization: `Bearer ${token}` } } }
  const [Sse, Streamable] = generation === 'v1' ? [SseV1, StreamableV1] : [SseV2, StreamableV2]
  const Transport = path.endsWith('/sse') ? Sse : Streamable
  await client.connect(new Transport(new URL(`${proxy.origin}${path}`), options) as never)
  return { client, heard, ended: ended.promise }
}

const info = { name: 'test-client', version: '1.0.0' }

function createV1(hear: (uri: string) => void): ClientV1 {
  const client = new ClientV1(info)
  client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => hear(params.uri))
  return client
}

function createV2(hear: (uri: string) => void): ClientV2 {
  const client = new ClientV2(info, { versionNegotiation: { mode: 'legacy' } })
  client.setNotificationHandler('notifications/resources/updated', ({ params }) => hear(params.uri))
  return client
}

describe.each([
  ['v1', '/http'],
  ['v1', '/stdio'],
  ['v1', '/stdio/sse'],
  ['v2', '/http'],
  ['v2', '/stdio'],
  ['v2', '/stdio/sse'],
] as const)('a %s client at %s', (generation, path) => {
  it('hears of updates of what it may read, and of nothing else', async () => {
    const { client, heard, ended } = await connect(generation, path)
    await client.callTool({ name: 'poke' })
    await ended
    expect(heard).toEqual([FIRST, LAST])
    await client.close()
  })

  it('is told of hidden prompts and templates that there are none, where it completes their arguments', async () => {
    const { client } = await connect(generation, path)
    const complete = (ref: { type: 'ref/prompt'; name: string } | { type: 'ref/resource'; uri: string }) =>
      client.complete({ ref, argument: { name: 'x', value: 'p' } })
    await expect(complete({ type: 'ref/resource', uri: 'secret://{x}' })).rejects.toThrow('Resource not found')
    await expect(complete({ type: 'ref/prompt', name: 'secret' })).rejects.toThrow('Unknown prompt: secret')
    expect((await complete({ type: 'ref/prompt', name: 'open' })).completion.values).toEqual(['plan'])
    await client.close()
  })
})
