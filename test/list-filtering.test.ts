// Lists through the real pipeline: what they show is what may be used.
import { createRequire } from 'node:module'
import {
  Client as ClientV2,
  SSEClientTransport as SseV2,
  StreamableHTTPClientTransport as StreamableV2,
} from '@modelcontextprotocol/client'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { SSEClientTransport as SseV1 } from '@modelcontextprotocol/sdk/client/sse.js'
import { StreamableHTTPClientTransport as StreamableV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DIRECT } from '../src/core/plan/egress-plan.ts'
import type { PolicyPlan } from '../src/core/plan/policy-plan.ts'
import type { Upstream } from '../src/core/ports.ts'
import type { Principal } from '../src/core/principal.ts'
import { createPolicy } from '../src/policy/policy.ts'
import { createHttpUpstream } from '../src/upstream/http-upstream.ts'
import { type EverythingServer, startEverythingServer } from './support/everything-server.ts'
import { openGate } from './support/gate.ts'
import { accessOf, createPolicyPlan, createPrincipal } from './support/policies.ts'
import { startTestProxy, type TestProxy } from './support/proxy.ts'
import { type Answer, startRecordingUpstream } from './support/recording-upstream.ts'
import { someFacts } from './support/request-facts.ts'
import { startIssuer, type TestIssuer } from './support/tokens.ts'

const everything = createRequire(import.meta.url).resolve('@modelcontextprotocol/server-everything/dist/index.js')

const policy = {
  access: [
    { everyone: true as const, tools: ['get-*', 'echo'], prompts: ['simple-*', 'args-*'] },
    { everyone: true as const, resources: ['demo://resource/static/document/f*', 'demo://resource/dynamic/text/*'] },
    { who: "'boss' in principal.scopes", tools: ['*'], prompts: ['*'], resources: ['demo://**'] },
  ],
  rules: [
    { tool: 'get-sum', scopes: ['sums'] },
    { tool: 'get-env', deny: true as const, on_deny: 'hide' as const },
    { tool: 'echo', require: "args.message != 'no'" },
  ],
}

let issuer: TestIssuer
let proxy: TestProxy
let streamable: EverythingServer
let sse: EverythingServer
const tokens: Record<'anyone' | 'boss', string> = { anyone: '', boss: '' }

beforeAll(async () => {
  ;[issuer, streamable, sse] = await Promise.all([
    startIssuer(),
    startEverythingServer('streamableHttp'),
    startEverythingServer('sse'),
  ])
  const command = [process.execPath, everything, 'stdio']
  const audience = ['https://mcp.example.com']
  proxy = await startTestProxy({
    issuers: [issuer.issuer],
    servers: [
      { path: '/http', upstream: streamable.url, audience, ...policy },
      { path: '/stdio', upstream: { command }, sse: { path: '/stdio/sse' }, audience, ...policy },
      { name: 'sse', sse: { path: '/old/sse', upstream: sse.url }, audience, ...policy },
    ],
  })
  const mint = (scope: string) => issuer.mint({ claims: { aud: audience, scope } })
  Object.assign(tokens, { anyone: await mint(''), boss: await mint('boss sums') })
})
afterAll(async () => {
  await proxy?.close()
  await Promise.all([issuer, streamable, sse].map((part) => part?.close()))
})

type AnyClient = ClientV1 | ClientV2

async function connect(generation: string, path: string, token: string): Promise<AnyClient> {
  const info = { name: 'test-client', version: '1.0.0' }
  const mode = generation === 'v2 auto' ? 'auto' : 'legacy'
  const client = generation === 'v1' ? new ClientV1(info) : new ClientV2(info, { versionNegotiation: { mode } })
  const url = new URL(`${proxy.origin}${path}`)
  const options = { requestInit: { headers: { authorization: `Bearer ${token}` } } }
  const [Sse, Streamable] = generation === 'v1' ? [SseV1, StreamableV1] : [SseV2, StreamableV2]
  await client.connect((path.endsWith('/sse') ? new Sse(url, options) : new Streamable(url, options)) as never)
  return client
}

interface Shown {
  readonly tools: string[]
  readonly prompts: string[]
  readonly resources: string[]
  readonly templates: string[]
}

async function list(client: AnyClient): Promise<Shown> {
  return {
    tools: (await client.listTools()).tools.map(({ name }) => name),
    prompts: (await client.listPrompts()).prompts.map(({ name }) => name),
    resources: (await client.listResources()).resources.map(({ uri }) => uri),
    templates: (await client.listResourceTemplates()).resourceTemplates.map(({ uriTemplate }) => uriTemplate),
  }
}

/** Whether a use is not answered as if there were no such thing. What the server says to it is its own matter. */
const isThere = (use: Promise<unknown>): Promise<boolean> =>
  use.then(
    () => true,
    (error: Error) => !/Unknown (?:tool|prompt): |Resource not found/.test(error.message),
  )

async function only(names: readonly string[], use: (name: string) => Promise<unknown>): Promise<string[]> {
  const found: string[] = []
  for (const name of names) if (await isThere(use(name))) found.push(name)
  return found
}

/** Enough for every tool, so that none takes long. */
const args = { message: 'x', duration: 0.01, steps: 1 }

describe.each([
  ['v1', '/http'],
  ['v1', '/stdio'],
  ['v1', '/stdio/sse'],
  ['v1', '/old/sse'],
  ['v2 legacy', '/http'],
  ['v2 legacy', '/stdio/sse'],
  ['v2 legacy', '/old/sse'],
  ['v2 auto', '/http'],
  ['v2 auto', '/stdio'],
])('the %s client at %s', (generation, path) => {
  it('is shown of server-everything what it may use, and nothing else', async () => {
    const [anyone, boss] = await Promise.all([connect(generation, path, tokens.anyone), connect(generation, path, tokens.boss)])
    const all = await list(boss)
    const shown = await list(anyone)
    expect(all.tools).toEqual(expect.arrayContaining(['echo', 'get-sum', 'get-tiny-image', 'trigger-long-running-operation']))
    expect(all.tools).not.toContain('get-env')
    expect(shown.tools).toEqual(await only([...all.tools, 'get-env'], (name) => anyone.callTool({ name, arguments: args })))
    expect(shown.tools).toEqual(expect.arrayContaining(['echo', 'get-sum', 'get-tiny-image']))
    expect(shown.tools).not.toContain('trigger-long-running-operation')
    expect(shown.prompts).toEqual(await only(all.prompts, (name) => anyone.getPrompt({ name })))
    expect(shown.prompts).toEqual(['simple-prompt', 'args-prompt'])
    expect(shown.resources).toEqual(await only(all.resources, (uri) => anyone.readResource({ uri })))
    expect(shown.resources.length).toBeLessThan(all.resources.length)
    expect(shown.resources.length).toBeGreaterThan(0)
    expect(shown.templates).toEqual(['demo://resource/dynamic/text/{resourceId}'])
    expect(all.templates.length).toBe(2)
    await Promise.all([anyone.close(), boss.close()])
  })
})

const WORDS = ['read', 'write', 'delete', 'export', 'Ünï', 'a"b', 'x\\\\y']
const CONDITIONS = [
  'args.amount <= 100',
  "'finance' in principal.groups",
  "args.amount > 5 && 'support' in principal.groups",
  'args.none == 1',
]
const pattern = fc.constantFrom('*', 'read_*', '*_1*', 'write_?', 'write_*', 'delete_2*', 'Ünï_*', '*"*', 'export_10')

const rule = fc.record(
  {
    tool: pattern,
    scopes: fc.constantFrom([], ['more'], ['tools']),
    require: fc.constantFrom(...CONDITIONS),
    onDeny: fc.constantFrom('refuse' as const, 'hide' as const),
    mode: fc.constantFrom('enforce' as const, 'enforce' as const, 'shadow' as const),
  },
  { requiredKeys: ['tool', 'scopes'] },
)
const denial = fc.record({
  tool: pattern,
  scopes: fc.constant([]),
  deny: fc.constant(true),
  onDeny: fc.constant('hide' as const),
})
const entry = fc.record(
  { groups: fc.constantFrom(['support'], ['finance']), tools: fc.array(pattern, { minLength: 1, maxLength: 3 }) },
  { requiredKeys: ['tools'] },
)
const plan: fc.Arbitrary<PolicyPlan> = fc
  .tuple(fc.array(fc.oneof(rule, denial), { minLength: 1, maxLength: 5 }), fc.array(entry, { maxLength: 4 }), fc.boolean())
  .map(([rules, entries, listStepUp]) => createPolicyPlan({ rules, listStepUp, ...(entries.length > 0 && accessOf(...entries)) }))
const principal: fc.Arbitrary<Principal> = fc
  .record({ groups: fc.subarray(['support', 'finance']), scope: fc.constantFrom('', 'more', 'more tools') })
  .map(createPrincipal)

describe('a server with 500 tools', () => {
  const names = Array.from({ length: 500 }, (_, index) => `${WORDS[index % WORDS.length]}_${index}`)
  const result = { tools: names.map((name) => ({ name, description: 'Does things' })), nextCursor: 'next' }

  const answerIn =
    (form: string): Answer =>
    async (request, response) => {
      const { id, method } = JSON.parse((await request.body).toString())
      const text = JSON.stringify({ jsonrpc: '2.0', id, result: method === 'tools/list' ? result : { content: [] } })
      if (form === 'JSON') return void response.writeHead(200, { 'content-type': 'application/json' }).end(text)
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      const event = `id: 1\ndata: ${text}\n\n`
      for (let at = 0; at < event.length; at += 5000) response.write(event.slice(at, at + 5000))
      response.end()
    }

  it.each(['JSON', 'events'])(
    'shows in %s what may be called with some arguments: 0 items disagree',
    { timeout: 120_000 },
    async (form) => {
      const server = await startRecordingUpstream(answerIn(form))
      const property = fc.asyncProperty(plan, principal, async (rules, user) => {
        const gate = await openGate(createUpstream(server.origin), {
          policy: createPolicy(rules),
          verifier: { verify: () => user },
        })
        const ask = (method: string, params: object): Promise<Response> => post(`${gate.origin}/mcp`, { method, params })
        const isUsable = async (name: string): Promise<boolean> => {
          const answers = await Promise.all(AMOUNTS.map((amount) => ask('tools/call', { name, arguments: { amount, none: 1 } })))
          const codes = await Promise.all(answers.map(readOutcome))
          return codes.some((code) => code === 'permit' || (code === 'scope_insufficient' && rules.listStepUp))
        }
        const isFiltered = createPolicy(rules).createListFilter(user, { ...someFacts, path: '/mcp' }) !== undefined
        const shown = await readNames(await ask('tools/list', {}))
        const usable: string[] = []
        for (const name of names) if (!isFiltered || (await isUsable(name))) usable.push(name)
        expect(shown).toEqual(usable)
        await gate.close()
      })
      await fc.assert(property, { numRuns: 3 })
      await server.close()
    },
  )
})

describe('a server with resources and prompts of all spellings', () => {
  const roots = ['file:///open/', 'file:///open/secret/', 'FILE:///open/', 'file:///closed/', 'note://open/', 'file://host/open/']
  const rests = [
    'a.md',
    '../closed/a',
    '%2e%2e/closed/a',
    'secret/a',
    'SECRET/a',
    '%73ecret/a',
    './a',
    '//a',
    'a?x=../b',
    'ü',
    'a%00',
    'a%2Fb',
  ]
  const uris = roots.flatMap((root) => rests.map((rest) => root + rest))
  const prompts = ['open', 'Open', 'open_secret', 'ope\u006e\u0301', ' open', 'öpen', 'open\n', '']
  const policies: Readonly<Record<string, PolicyPlan>> = {
    'that opens some': createPolicyPlan(accessOf({ resources: ['file:///open/**'], prompts: ['open*'] })),
    'that closes some': createPolicyPlan({
      rules: [
        { resource: 'file:///open/secret/**', scopes: [], deny: true, onDeny: 'hide' },
        { prompt: '*secret', scopes: [], require: "'admins' in principal.groups" },
      ],
    }),
    'about the URI itself': createPolicyPlan({
      rules: [{ resource: 'file:///**', scopes: [], require: "operation.target.startsWith('file:///open/')" }],
    }),
  }

  it.each(Object.entries(policies))('shows by a policy %s what may be used, and nothing else', async (_what, rules) => {
    const lists = {
      'resources/list': { resources: uris.map((uri) => ({ uri })) },
      'prompts/list': { prompts: prompts.map((name) => ({ name })) },
    }
    const server = await startRecordingUpstream(async (request, response) => {
      const { id, method } = JSON.parse((await request.body).toString())
      const result = lists[method as keyof typeof lists] ?? {}
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ jsonrpc: '2.0', id, result }))
    })
    const verifier = { verify: () => createPrincipal() }
    const gate = await openGate(createUpstream(server.origin), { policy: createPolicy(rules), verifier })
    const ask = (method: string, params: object): Promise<Response> => post(`${gate.origin}/mcp`, { method, params })
    const only = async (names: readonly string[], method: string, key: string): Promise<string[]> => {
      const found: string[] = []
      for (const name of names) if ((await (await ask(method, { [key]: name })).text()).includes('"result"')) found.push(name)
      return found
    }
    const { resources } = JSON.parse(await (await ask('resources/list', {})).text()).result
    expect(resources.map(({ uri }: { uri: string }) => uri)).toEqual(await only(uris, 'resources/read', 'uri'))
    const shown = JSON.parse(await (await ask('prompts/list', {})).text()).result.prompts
    expect(shown.map(({ name }: { name: string }) => name)).toEqual(await only(prompts, 'prompts/get', 'name'))
    expect(resources.length).toBeGreaterThan(0)
    expect(resources.length).toBeLessThan(uris.length)
    await gate.close()
    await server.close()
  })
})

/** Each condition about them holds for one of these, and all conditions together for the first. */
const AMOUNTS = [50, 1, 500]

function createUpstream(origin: string): Upstream {
  return createHttpUpstream({
    kind: 'http',
    url: `${origin}/mcp`,
    socket: undefined,
    headers: {},
    connectSeconds: 5,
    responseSeconds: 30,
    heartbeatSeconds: 0,
    followSlashRedirects: false,
    ca: undefined,
    egress: DIRECT,
  })
}

function post(url: string, message: object): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { authorization: 'Bearer x', 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, ...message }),
  })
}

async function readOutcome(response: Response): Promise<string> {
  const text = await response.text()
  if (response.status === 200) return text.includes('Unknown tool') ? 'hidden' : 'permit'
  return JSON.parse(text).error.data.error
}

async function readNames(response: Response): Promise<string[]> {
  const text = await response.text()
  const { result } = JSON.parse(text.replace(/^id: 1\ndata: /, ''))
  expect(result.nextCursor).toBe('next')
  return result.tools.map(({ name }: { name: string }) => name)
}
