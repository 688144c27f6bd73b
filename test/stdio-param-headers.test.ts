import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { openStdioGate, type StdioGate, scripted } from './support/gate.ts'
import { callModern, onlyJson, readAnswer, readEvents, sendModern } from './support/mcp-requests.ts'

const program = fileURLToPath(new URL('./conformance/server/suite-server-stdio.ts', import.meta.url))
describe('a header that repeats a parameter, before a server that sees no headers (2026-07-28, Server Validation)', () => {
  let gate: StdioGate
  beforeAll(async () => {
    gate = await openStdioGate({ command: [process.execPath, program] })
    // On a busy machine it takes long to start, and then starts twice, since it serves both eras.
    await readAnswer(sendModern(gate.origin, 'prompts/list'))
  }, 120_000)
  afterAll(() => gate.close())
  const call = (region: string, headers: Record<string, string>) =>
    callModern(gate.origin, 'test_region_header', { region }, { headers, ...onlyJson })

  it.each<[string, Record<string, string>]>([
    ['as it is', { 'Mcp-Param-Region': 'us-west1' }],
    ['in Base64', { 'Mcp-Param-Region': '=?base64?dXMtd2VzdDE=?=' }],
    ['with others that nobody declared', { 'Mcp-Param-Region': 'us-west1', 'Mcp-Param-Other': 'x' }],
  ])('passes when it agrees: %s', async (_how, headers) => {
    expect((await readAnswer(call('us-west1', headers))).error).toBeUndefined()
  })

  it.each<[string, Record<string, string>]>([
    ['another value', { 'Mcp-Param-Region': 'eu-west1' }],
    ['another case', { 'Mcp-Param-Region': 'US-WEST1' }],
    ['no value', { 'Mcp-Param-Region': '' }],
    ['no header', {}],
    ['what is no Base64', { 'Mcp-Param-Region': '=?base64?dXMtd2VzdDE?=' }],
  ])('is refused with %s', async (_what, headers) => {
    const response = await call('us-west1', headers)
    expect(response.status).toBe(400)
    expect((await readAnswer(response)).error.data.error).toBe('header_mismatch')
  })
})

describe.each(['modern', 'legacy'])('a tool that begins to have such a header, at a server that is %s', (era) => {
  let gate: StdioGate
  const open = async () => {
    gate = await openStdioGate({ command: scripted, env: { ERA: era } })
    return gate.origin
  }
  afterEach(() => gate.close())
  const echo = async (origin: string, headers: Record<string, string> = {}) =>
    (await callModern(origin, 'echo', { text: 'x' }, { headers, ...onlyJson })).status
  const declare = (origin: string, more: object = {}) =>
    readAnswer(callModern(origin, 'declare', { tool: 'echo', header: 'Text', ...more }))
  const countLists = () => gate.stderr.filter((line) => line === 'lists its tools').length

  it('is known when a client has been told of it', async () => {
    const origin = await open()
    expect(await echo(origin)).toBe(200)
    await declare(origin)
    await readAnswer(sendModern(origin, 'tools/list'))
    const lists = countLists()
    expect(await echo(origin, { 'Mcp-Param-Text': 'x' })).toBe(200)
    // The client's own list told it: nothing was asked again.
    expect(countLists()).toBe(lists)
    expect(await echo(origin)).toBe(400)
  })

  it.each([{ text: null }, {}, { other: 'x' }])('needs none where the call has no value for it: %j', async (args) => {
    const origin = await open()
    await declare(origin)
    await readAnswer(sendModern(origin, 'tools/list'))
    expect((await callModern(origin, 'echo', args)).status).toBe(200)
    expect(await echo(origin)).toBe(400)
  })

  it('is known when the server says that its tools have changed', async () => {
    const origin = await open()
    const events = readEvents(await sendModern(origin, 'subscriptions/listen', { notifications: { toolsListChanged: true } }))
    await events.next()
    expect(await echo(origin)).toBe(200)
    await declare(origin, { andTell: true })
    await events.next()
    expect(await echo(origin)).toBe(400)
    expect(await echo(origin, { 'Mcp-Param-Text': 'x' })).toBe(200)
  })
})
