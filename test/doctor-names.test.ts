import { createRequire } from 'node:module'
import { afterEach, describe, expect, it } from 'vitest'
import type { ConfigInput } from '../src/config/schema/schema.ts'
import { examine } from '../src/doctor/doctor.ts'
import { type DoctorStage, openDoctorStage, serve } from './support/doctor-stage.ts'
import { scriptedServer } from './support/gate.ts'
import type { Answer } from './support/recording-upstream.ts'

const everything = createRequire(import.meta.url).resolve('@modelcontextprotocol/server-everything/dist/index.js')
const open: DoctorStage[] = []
afterEach(async () => void (await Promise.all(open.splice(0).map((stage) => stage.close()))))

type Server = ConfigInput['servers'][number]

/** What the doctor says of names. */
async function examineNames(configure: (stage: DoctorStage) => Partial<ConfigInput>, claims?: Record<string, unknown>) {
  const stage = await openDoctorStage()
  open.push(stage)
  const config = stage.configure(configure(stage))
  const token = claims && (await stage.issuer.mint({ claims: { aud: `${stage.front.origin}/mcp`, ...claims } }))
  const { findings } = await examine(stage.load(config), token)
  const about = findings.filter(({ id }) => /name/.test(id))
  return {
    stage,
    token,
    findings: about,
    lines: about.map(({ about: what, id, says, fix }) => `${what} ${id} ${says} ${fix ?? ''}`),
  }
}

const policy: Partial<Server> = {
  access: [
    { everyone: true, tools: ['echo', 'cuont_slowly', 'admin_*', 'amdin_*', 'x*'], prompts: ['ecko', '*'] },
    { everyone: true, resources: ['echo://*', 'echo://a', 'echo://**', 'file:///srv/**'] },
  ],
  rules: [
    { tool: 'admin_resset', deny: true },
    { prompt: 'unheard-of', deny: true },
    { method: 'logging/setLevel', deny: true },
  ],
}

describe('names that the MCP server does not list', { timeout: 60_000 }, () => {
  it.each<[string, (stage: DoctorStage) => Server]>([
    ['over Streamable HTTP', ({ mcpServer }) => ({ ...serve(mcpServer.streamableHttpUrl), ...policy })],
    [
      'behind a redirect to the final slash',
      (stage) => {
        stage.upstream.answerWith(async (request, response) => {
          if (request.url === '/mcp') return void response.writeHead(307, { location: '/mcp/' }).end()
          const { method, headers } = request
          const body = method === 'POST' ? { body: await request.body } : {}
          const sent = Object.entries(headers).flatMap(([name, value]): [string, string][] =>
            ['accept', 'content-type', 'mcp-session-id', 'mcp-protocol-version', 'mcp-method'].includes(name)
              ? [[name, String(value)]]
              : [],
          )
          const answer = await fetch(stage.mcpServer.streamableHttpUrl, { method, headers: sent, ...body } as RequestInit)
          response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(Buffer.from(await answer.arrayBuffer()))
        })
        return { ...serve({ url: `${stage.upstream.origin}/mcp`, follow_slash_redirects: true }), ...policy }
      },
    ],
  ])('are told %s, with the nearest one', async (_how, server) => {
    const { lines } = await examineNames((stage) => ({ servers: [server(stage)] }))
    const told = (pattern: string) => lines.find((line) => line.includes(`names "${pattern}"`)) ?? ''
    expect(told('cuont_slowly')).toMatch(/^server mcp name_unknown servers\[0\]\.access\[0\] names .*Was "count_slowly" meant\?/)
    expect(told('amdin_*')).toContain('Was "admin_*" meant?')
    expect(told('x*')).toContain('there is no tool like that')
    expect(told('ecko')).toContain('Was "echo" meant?')
    expect(told('file:///srv/**')).toMatch(/servers\[0\]\.access\[1\] .*no resource like that/)
    expect(told('admin_resset')).toMatch(/rules\[0\] .*Was "admin_reset" meant\?/)
    expect(told('unheard-of')).toContain('rules[1] names "unheard-of", and there is no prompt')
    expect(lines).toHaveLength(7)
  })

  it.each<[string, string[]]>([
    ['that speaks older revisions', [process.execPath, everything, 'stdio']],
    ['that speaks 2026-07-28 alone', [process.execPath, scriptedServer, 'modern']],
  ])('are told of a process %s', async (_what, command) => {
    const access = [{ everyone: true as const, tools: ['echo', 'ehco'], prompts: ['nothing-like-it'] }]
    const { lines } = await examineNames(() => ({ servers: [{ ...serve({ command }), access }] }))
    expect(lines).toEqual([
      expect.stringContaining('names "ehco"'),
      expect.stringContaining('names "nothing-like-it", and there is no prompt'),
    ])
    expect(lines[0]).toContain('Was "echo" meant?')
  })

  it('are told of an entry at the top only where no server has them', async () => {
    const { lines } = await examineNames(({ mcpServer }) => ({
      access: [{ everyone: true, tools: ['echo', 'get-sum', 'get-smu'] }],
      servers: [
        serve(mcpServer.streamableHttpUrl),
        { ...serve({ command: [process.execPath, everything, 'stdio'] }), path: '/everything' },
      ],
    }))
    expect(lines.filter((line) => line.includes('name_unknown'))).toEqual([
      expect.stringMatching(/^all servers name_unknown access\[0\] names "get-smu".*Was "get-sum" meant\?/),
    ])
  })
})

describe('names are not told', { timeout: 60_000 }, () => {
  it('where all are listed, or nothing is named', async () => {
    const access = [{ everyone: true as const, tools: ['echo', 'count_*'], prompts: ['*'], resources: ['echo://**'] }]
    const good = await examineNames(({ mcpServer }) => ({ servers: [{ ...serve(mcpServer.streamableHttpUrl), access }] }))
    expect(good.findings).toMatchObject([{ id: 'names', verdict: 'ok' }])
    const none = await examineNames(({ upstream }) => ({ servers: [serve(`${upstream.origin}/mcp`)] }))
    expect(none.findings).toEqual([])
    const methods = await Promise.all(none.stage.upstream.requests.map(async ({ body }) => String(await body)))
    expect(methods.filter((body) => body.includes('/list'))).toEqual([])
  })

  it.each<[string, Partial<Server>, RegExp]>([
    ['it speaks HTTP+SSE', { path: undefined as never, upstream: undefined as never }, /speaks HTTP\+SSE, over which/],
    ['it is asked with the token of the caller', { forward_access_token: true }, /--token FILE/],
  ])('where %s', async (_why, changes, reason) => {
    const access = [{ everyone: true as const, tools: ['ehco'] }]
    const { findings } = await examineNames(({ mcpServer }) => ({
      servers: [
        'path' in changes
          ? { name: 'old', sse: { path: '/sse', upstream: mcpServer.sseUrl }, access }
          : { ...serve(mcpServer.streamableHttpUrl), ...changes, access },
      ],
    }))
    expect(findings).toMatchObject([{ id: 'names_not_compared', verdict: 'skipped', says: expect.stringMatching(reason) }])
  })

  it.each<[string, Answer]>([
    ['it answers lists with an error', answerLists({ error: { code: -32000, message: 'no' } })],
    ['its pages have no end', answerLists({ result: { tools: [], nextCursor: 'again' } })],
    ['it answers lists with nothing', answerLists(undefined)],
  ])('where %s', async (_why, answer) => {
    const { findings } = await examineNames((stage) => {
      stage.upstream.answerWith(answer)
      return { servers: [{ ...serve(`${stage.upstream.origin}/mcp`), access: [{ everyone: true, tools: ['a'] }] }] }
    })
    expect(findings).toMatchObject([{ id: 'names_not_compared', verdict: 'skipped' }])
  })
})

/** A server that opens sessions, and answers lists as it is told to. */
function answerLists(answer: object | undefined): Answer {
  return async (request, response) => {
    const { id, method } = JSON.parse(String(await request.body) || '{}')
    const initialized = {
      result: { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'x', version: '1' } },
    }
    const body = method === 'initialize' ? initialized : answer
    if (id === undefined || body === undefined) return void response.writeHead(202).end()
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ jsonrpc: '2.0', id, ...body }))
  }
}

describe('a server that gets the token of the caller', { timeout: 60_000 }, () => {
  const server = (stage: DoctorStage): Partial<ConfigInput> => {
    stage.upstream.answerWith(answerLists({ result: { tools: [{ name: 'echo' }] } }))
    const access = [{ everyone: true as const, tools: ['ehco'] }]
    return { servers: [{ ...serve(`${stage.upstream.origin}/mcp`), forward_access_token: true, access }] }
  }
  const sentTokens = async ({ upstream }: DoctorStage) => upstream.requests.map(({ headers }) => headers.authorization)

  it('is asked with it for its lists', async () => {
    const { stage, token, lines } = await examineNames(server, {})
    expect(lines).toEqual([expect.stringContaining('Was "echo" meant?')])
    expect(await sentTokens(stage)).toContain(`Bearer ${token}`)
  })

  it('is not sent a token that it would not accept', async () => {
    const { stage, findings } = await examineNames(server, { aud: 'https://other.example.com' })
    expect(findings).toMatchObject([{ id: 'names_not_compared' }])
    expect((await sentTokens(stage)).filter((one) => one !== undefined)).toEqual([])
  })
})
