// Attack family S: what one valid user, or one server, has held while something is waited for.
import { afterEach, describe, expect, it, vi } from 'vitest'
import { cancelRequest } from '../../src/upstream/stdio/channel/pending-request.ts'
import { Listeners } from '../../src/upstream/stdio/translation/subscriptions.ts'
import { createClientMessage } from '../../src/upstream/stdio/wire/client-messages.ts'
import { openStdioGate, type StdioGate, scripted } from '../support/gate.ts'
import {
  callModern,
  createRequest,
  createToolCall,
  onlyJson,
  openSession,
  readAnswer,
  readEvents,
  sendMcp,
  sendModern,
  textOf,
} from '../support/mcp-requests.ts'

const MiB = 1024 * 1024
let gate: StdioGate | undefined
const open = async (plan: Partial<Parameters<typeof openStdioGate>[0]>, heldBytes?: number) => {
  gate = await openStdioGate({ command: scripted, ...plan }, heldBytes)
  return gate.origin
}
const waitForStderr = (part: string) => gate?.waitForStderr(part)
/**
 * Sends calls until `refused` of them were refused, then goes away with the others. Each answer is read: one that is not is closed when it is
 * collected as garbage, as if its client had gone away.
 */
async function expectRefused(
  calls: readonly Promise<Response>[],
  refused: number,
  abort: AbortController,
  meanwhile: () => Promise<void> = async () => undefined,
): Promise<void> {
  const outcomes: string[] = []
  const all = calls.map((call) =>
    readAnswer(call).then(
      ({ error }) => outcomes.push(error?.data.error ?? 'answered'),
      () => outcomes.push('aborted'),
    ),
  )
  await vi.waitFor(() => expect(outcomes).toHaveLength(refused))
  expect(new Set(outcomes)).toEqual(new Set(['upstream_busy']))
  await meanwhile()
  abort.abort()
  await Promise.all(all)
  expect(outcomes.slice(refused)).toEqual(Array(calls.length - refused).fill('aborted'))
}
afterEach(async () => {
  await gate?.close()
  gate = undefined
})

describe('an answer that comes while its call waits for input', () => {
  const asking = { capabilities: { elicitation: {} } }
  const question = { method: 'elicitation/create', params: { message: 'Name?', requestedSchema: { type: 'object' } } }
  const begin = async (origin: string, bytes: number) => {
    const { result } = await readAnswer(callModern(origin, 'askAndWait', { ...question, bytes }, asking))
    // The server answers now, and its client is not there.
    await readAnswer(sendModern(origin, 'prompts/list', {}, asking))
    return result.requestState
  }
  const fetchAnswer = (origin: string, bytes: number, requestState: unknown, id: string | number) =>
    readAnswer(
      sendModern(
        origin,
        'tools/call',
        { name: 'askAndWait', arguments: { ...question, bytes }, requestState },
        { ...asking, id },
      ),
    )

  it('is there for the request that fetches it, with its id', async () => {
    const origin = await open({})
    const answer = await fetchAnswer(origin, 10, await begin(origin, 10), 'fetched')
    expect([answer.id, textOf(answer)]).toEqual(['fetched', 'b'.repeat(10)])
  })

  it('is kept within the memory of its user, and no longer than it is wanted', async () => {
    const origin = await open({}, 16 * MiB)
    const bytes = 400_000
    const states: unknown[] = []
    for (let i = 0; i < 4; i++) states.push(await begin(origin, bytes))
    const kept: boolean[] = []
    for (const state of states) kept.push((await fetchAnswer(origin, bytes, state, 'x')).error === undefined)
    expect(kept).toEqual([true, true, false, false])
    expect(textOf(await fetchAnswer(origin, bytes, await begin(origin, bytes), 'x'))).toHaveLength(bytes)
  })
})

describe('subscriptions of 2026-07-28', () => {
  it.each(['modern', 'legacy'])('have a bound, and end with their client (a server that is %s)', async (era) => {
    const origin = await open({ env: { ERA: era } }, 2 * MiB)
    // Requests that wait for the server to start take memory, too.
    await readAnswer(sendModern(origin, 'prompts/list'))
    const listen = (i: number) =>
      sendModern(origin, 'subscriptions/listen', { notifications: { resourceSubscriptions: [`x:${i}/${'x'.repeat(30_000)}`] } })
    const responses: Response[] = []
    for (let i = 0; i < 6; i++) responses.push(await listen(i))
    expect(responses.map(({ status }) => status)).toEqual([200, 200, 200, 200, 503, 503])
    await responses[0]?.body?.cancel()
    await waitForStderr(era === 'modern' ? 'cancelled' : 'unsubscribed')
    expect((await listen(7)).status).toBe(200)
  })

  it('cost linear work: twice as many take twice as many steps', () => {
    const count = (listens: number): number => {
      let steps = 0
      // biome-ignore lint/suspicious/noExplicitAny: any method of any prototype
      const counting = (prototype: any, name: string, cost: (self: any) => number) => {
        const original = prototype[name]
        // biome-ignore lint/suspicious/noExplicitAny: the same
        return vi.spyOn(prototype, name).mockImplementation(function (this: unknown, ...args: any[]) {
          steps += cost(this)
          return original.apply(this, args)
        })
      }
      const channel = { ask: () => Promise.resolve({}) }
      const sink = { kind: 'response' as const, related: () => undefined, response: () => undefined, failed: () => undefined }
      const listeners = new Listeners()
      const messages = Array.from({ length: listens }, (_, i) => {
        const resourceSubscriptions = Array.from({ length: 200 }, (_each, j) => `x:${i}-${j}`)
        return createClientMessage(
          JSON.stringify(createRequest('subscriptions/listen', { notifications: { resourceSubscriptions } }, i)),
        )
      })
      const spies = [
        counting(Array.prototype, 'includes', (self) => self.length),
        counting(Array.prototype, 'some', (self) => self.length),
        counting(Map.prototype, 'get', () => 1),
        counting(Set.prototype, 'has', () => 1),
      ]
      const capabilities = { resources: { subscribe: true } }
      const requests = messages.map((message) => listeners.open('key', channel as never, capabilities, message, sink))
      for (const request of requests) cancelRequest(request, 'over')
      for (const spy of spies) spy.mockRestore()
      return steps
    }
    expect(count(40) / count(20)).toBeLessThan(2.2)
  })
})

describe('the tools of a server', () => {
  it.each(['modern', 'legacy'])('are remembered within the memory of a user (a server that is %s)', async (era) => {
    const origin = await open({ env: { ERA: era } }, 2 * MiB)
    expect((await readAnswer(callModern(origin, 'grow', { characters: 200_000 }))).error).toBeUndefined()
    // The list that a client gets is too long to be remembered, and so is the one that is asked for.
    expect((await readAnswer(sendModern(origin, 'tools/list'))).result.tools.length).toBeGreaterThan(10)
    // Without a look at the status: on a slow machine the answer has begun as an event stream by then.
    expect((await readAnswer(callModern(origin, 'pid'))).error.data.error).toBe('upstream_busy')
  })
})

describe('calls that wait for a process', () => {
  const meta = { 'io.modelcontextprotocol/logLevel': 'info' }
  /** Takes all processes of a user. */
  const takeAll = async (call: () => Promise<Response>) => {
    for (let i = 0; i < 4; i++) readAnswer(call()).catch(() => undefined)
    await vi.waitFor(() => expect(gate?.stderr.filter((line) => line.startsWith('hanging'))).toHaveLength(4))
  }

  it('are a hundred of a user at most', async () => {
    const origin = await open({ env: { ERA: 'modern' } })
    const abort = new AbortController()
    const call = () => callModern(origin, 'hang', {}, { meta, signal: abort.signal })
    await takeAll(call)
    await expectRefused(Array.from({ length: 110 }, call), 10, abort, async () => {
      expect((await readAnswer(callModern(origin, 'pid', {}, { user: 'bob', meta }))).error).toBeUndefined()
    })
  })

  it('are held within the memory of a user', async () => {
    const origin = await open({ env: { ERA: 'modern' } }, 16 * MiB)
    const abort = new AbortController()
    const call = (args: object = {}) => callModern(origin, 'hang', { ...args }, { meta, signal: abort.signal })
    await takeAll(call)
    const waiting = Array.from({ length: 6 }, () => call({ text: 'x'.repeat(0.4 * MiB) }))
    await expectRefused(waiting, 4, abort)
  })
})

describe('calls that wait for what is asked of a server first', () => {
  it.each([
    ['which revisions it speaks', { command: [process.execPath, '-e', 'setInterval(() => undefined, 1e9)'] }],
    ['which tools it has', { env: { ERA: 'modern', SILENT_LIST: '1' } }],
  ])('(%s) are held within the memory of a user', async (_, plan) => {
    const origin = await open(plan, 16 * MiB)
    const abort = new AbortController()
    const call = () => callModern(origin, 'echo', { text: 'x'.repeat(0.4 * MiB) }, { signal: abort.signal })
    await expectRefused(Array.from({ length: 6 }, call), 4, abort)
  })
})

describe('answers of a batch that wait for the others', () => {
  it('are held within the memory of their user', async () => {
    const origin = await open({}, 16 * MiB)
    const session = await openSession(origin, { revision: '2025-03-26' })
    const batch = Array.from({ length: 4 }, (_, id) => createToolCall('big', { bytes: 0.9 * MiB }, undefined, id))
    const response = await session.post([...batch, createToolCall('late', { milliseconds: 300 }, undefined, 'last')], {
      accept: 'application/json',
    })
    const answers = (await response.json()) as { id: unknown; error?: { data: { error: string } } }[]
    expect(answers.map(({ id, error }) => [id, error?.data.error])).toEqual([
      [0, undefined],
      [1, 'upstream_busy'],
      [2, 'upstream_busy'],
      [3, 'upstream_busy'],
      ['last', undefined],
    ])
    expect((await session.call('big', { bytes: MiB })).length).toBe(MiB)
  })
})

describe('what a server says of itself', () => {
  it.each([
    ['for clients of 2026-07-28', 'session'],
    ['where sessions share it', 'shared'],
  ] as const)('is no longer than a million characters where it is kept: %s', async (how, processPer) => {
    const origin = await open({ processPer, env: { LONG_INITIALIZE: '1' } })
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } }
    const response =
      how === 'where sessions share it'
        ? await sendMcp(`${origin}/mcp`, { body: createRequest('initialize', params), ...onlyJson })
        : await sendModern(origin, 'tools/list', {}, onlyJson)
    expect(response.status).toBe(502)
    await response.text()
  })
})

describe('a request of a server with an id of more than 1,024 characters', () => {
  it('is not passed on, and others are', async () => {
    const origin = await open({})
    const session = await openSession(origin)
    const events = readEvents(await session.get())
    const ask = (id: string) =>
      session.call('write', { line: JSON.stringify({ jsonrpc: '2.0', id, method: 'roots/list' }), andAnswer: true })
    await ask('i'.repeat(1025))
    await ask('i'.repeat(1024))
    // It goes with the call, or to the stream: whichever client is there.
    expect(await session.call('echo', { text: 'on' })).toBe('on')
    expect(gate?.stderr.some((line) => line.includes('an id that is too long'))).toBe(true)
    await events.return(undefined)
  })
})
