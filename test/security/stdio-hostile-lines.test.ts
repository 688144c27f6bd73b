// Attack family S: single lines of a stdio server that are made to end the proxy.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { scripted } from '../support/gate.ts'
import { type GateProcess, startGateProcess } from '../support/gate-process.ts'
import {
  callModern,
  createRequest,
  createToolCall,
  openSession,
  readAnswer,
  readEvents,
  sendMcp,
  sendModern,
  textOf,
} from '../support/mcp-requests.ts'
import { isRunning } from '../support/processes.ts'

let proxy: GateProcess
const start = async (plan: Parameters<typeof startGateProcess>[0] = {}) => {
  proxy = await startGateProcess({ command: scripted, ...plan })
  return proxy.origin
}
afterEach(async () => {
  // It lives, and serves.
  expect(isRunning(proxy.pid)).toBe(true)
  const response = await sendMcp(`${proxy.origin}/mcp`, { body: createRequest('ping') })
  expect(response.status).toBe(400)
  await proxy.kill('SIGKILL')
})

const notification = (method: string, params: string) => `{"jsonrpc":"2.0","method":"${method}","params":${params}}`

/** Lines that belong to no answer: whoever asks meanwhile gets one. */
const lines = [
  ['a progress token', notification('notifications/progress', '{"progressToken":DEEP,"progress":1}')],
  ['what is said of a list', notification('notifications/tools/list_changed', '{"_meta":{"x":DEEP}}')],
  ['the params of a list', notification('notifications/tools/list_changed', '{"x":DEEP}')],
  ['a log message', notification('notifications/message', '{"level":"info","data":DEEP}')],
  ['the id of a cancelled request', notification('notifications/cancelled', '{"requestId":DEEP}')],
  ['params without a name', notification('notifications/progress', 'DEEP')],
  ['a subscription', notification('notifications/x', '{"_meta":{"io.modelcontextprotocol/subscriptionId":DEEP}}')],
  ['a resource', notification('notifications/resources/updated', '{"uri":DEEP}')],
  ['a resource that is no text', notification('notifications/resources/updated', '{"uri":{"toString":1,"valueOf":1}}')],
  ['a token that is no text', notification('notifications/progress', '{"progressToken":{"toJSON":1,"toString":1}}')],
  ['a question', '{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{"message":DEEP}}'],
  ['a question with a name of its own', '{"jsonrpc":"2.0","id":"q","method":"roots/list","params":{"__proto__":DEEP}}'],
  ['an id', '{"jsonrpc":"2.0","id":DEEP,"method":"ping"}'],
  ['an answer to nothing', '{"jsonrpc":"2.0","id":DEEP,"result":{}}'],
  ['all of a batch', '[DEEP]'],
  ['nothing else', 'DEEP'],
] as const

describe.each(['session', 'shared'] as const)('very deep or odd values of a server (a child per %s)', (processPer) => {
  beforeEach(() => start({ processPer }))

  it.each(lines)('in %s take nothing from a client of 2025-11-25', async (_where, line) => {
    const session = await openSession(proxy.origin, { capabilities: { elicitation: {}, roots: {} } })
    await readAnswer(session.post(createRequest('resources/subscribe', { uri: 'x:y' })))
    const answer = await readAnswer(session.post(createToolCall('write', { line, andAnswer: true }, { progressToken: 1 })))
    expect(textOf(answer)).toBe('written')
  })

  it.each(lines)('in %s take nothing from a client of 2026-07-28 that listens', async (_where, line) => {
    const notifications = { toolsListChanged: true, resourceSubscriptions: ['x:y'] }
    const abort = new AbortController()
    const events = readEvents(await sendModern(proxy.origin, 'subscriptions/listen', { notifications }, { signal: abort.signal }))
    await events.next()
    const answer = await readAnswer(callModern(proxy.origin, 'write', { line, andAnswer: true }))
    expect(textOf(answer)).toBe('written')
    abort.abort()
  })

  it('in a question to a client of 2026-07-28 are refused, and its call goes on', async () => {
    const line = '{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{"message":"?","x":DEEP}}'
    const asking = { capabilities: { elicitation: {} } }
    const answer = await readAnswer(callModern(proxy.origin, 'write', { line, andAnswer: true }, asking))
    expect(textOf(answer)).toBe('written')
  })

  it.each(['-32042', '-32002', '1'])('in an error %s are passed on or refused by its id', async (code) => {
    const line = `{"jsonrpc":"2.0","id":ID,"error":{"code":${code},"message":"x","data":{"elicitations":[{"mode":"url","x":DEEP}]}}}`
    const asking = { capabilities: { elicitation: { url: {} } }, id: 'mine' }
    const answer = await readAnswer(callModern(proxy.origin, 'write', { line }, asking))
    expect(answer).toMatchObject({ id: 'mine', error: { data: { error: 'upstream_invalid_response' } } })
    const session = await openSession(proxy.origin)
    const old = await readAnswer(session.post(createToolCall('write', { line }, undefined, 'old')))
    expect(old).toMatchObject({ id: 'old', error: { data: { error: 'upstream_invalid_response' } } })
  })

  it('in a result are the client’s to read', async () => {
    const line = '{"jsonrpc":"2.0","id":ID,"result":{"content":[],"x":DEEP}}'
    for (const response of [await callModern(proxy.origin, 'write', { line })]) expect(await response.text()).toContain('[[[[[[')
  })
})

// To build them would take twenty times their memory, and keep all other requests waiting.
describe.each(['session', 'shared'] as const)('very many values of a server (a child per %s)', (processPer) => {
  it.each(['legacy', 'modern'])('in a result are the client’s to read (a server that is %s)', async (era) => {
    const origin = await start({ processPer, env: { ERA: era } })
    const line = '{"jsonrpc":"2.0","id":ID,"result":{"content":[],"_meta":{"own":1},"x":MANY}}'
    const told = [await callModern(origin, 'write', { line }, { id: 'mine' })]
    if (era === 'legacy') told.push(await (await openSession(origin)).post(createToolCall('write', { line }, undefined, 'mine')))
    for (const answer of told) {
      const { id, result } = await readAnswer(answer)
      expect([id, result._meta.own, result.x.length]).toEqual(['mine', 1, 150_001])
    }
  })

  it.each([
    ['all members', '{"jsonrpc":"2.0","id":ID,"error":null,"result":{"content":[],"x":MANY}}'],
    ['no version', '{"id":ID,"result":{"content":[],"x":MANY}}'],
  ])('in a result pass in the correct form where its library writes %s', async (_what, line) => {
    const origin = await start({ processPer })
    const { result, ...rest } = await readAnswer(callModern(origin, 'write', { line }, { id: 'mine' }))
    expect([rest, result.x.length]).toEqual([{ jsonrpc: '2.0', id: 'mine' }, 150_001])
  })

  it.each([
    ['wherever its id is', '{"result":MANY,"error":{},"id":ID,"jsonrpc":"2.0" }'],
    ['in a batch', '[{"result":MANY,"id":ID,"jsonrpc":"2.0"}]'],
    ['with characters that end lines of event streams', '{"jsonrpc":"2.0","id":ID,"result":{"x":["\f",MANY]}}'],
    ['without a clear id', '{"jsonrpc":"2.0","result":MANY,"id":ID,"id":ID}'],
    ['without an end', '{"jsonrpc":"2.0","result":MANY'],
  ])('in an answer that cannot pass fail its call at once: %s', async (_what, line) => {
    const origin = await start({ processPer })
    const { error } = await readAnswer(callModern(origin, 'write', { line }))
    expect(error.data.error).toMatch(/^upstream_(?:invalid_response|ended)$/)
  })

  it('in a request are refused to the server', async () => {
    const origin = await start({ processPer })
    const line = '{"params":{"x":MANY},"method":"ping","id":"own-1","jsonrpc":"2.0"}'
    const session = await openSession(origin)
    expect(textOf(await readAnswer(session.post(createToolCall('write', { line, andAnswer: true }))))).toBe('written')
    const received = textOf(await readAnswer(session.post(createToolCall('received'))))
    expect(Buffer.from(received, 'base64').toString()).toContain('"id":"own-1","error":{"code":-32600')
  })

  it('in a list of tools keep their calls from passing unchecked: which headers repeat parameters is not known', async () => {
    const origin = await start({ processPer, env: { MANY_TOOLS: '1' } })
    const { error } = await readAnswer(callModern(origin, 'echo', { text: 'x' }))
    expect(error.data.error).toBe('upstream_invalid_response')
  })

  it.each(['error', 'params'])('in %s are refused by the id of the request, or dropped', async (where) => {
    const origin = await start({ processPer })
    const line =
      where === 'error'
        ? '{"jsonrpc":"2.0","id":ID,"error":{"code":1,"message":"x","data":MANY}}'
        : '{"jsonrpc":"2.0","method":"notifications/message","params":{"data":MANY}}'
    const answer = await readAnswer(callModern(origin, 'write', { line, andAnswer: where === 'params' }))
    if (where === 'error') expect(answer.error.data.error).toBe('upstream_invalid_response')
    else expect(textOf(answer)).toBe('written')
  })
})

describe.each(['session', 'shared'] as const)(
  'a server that says very deep things of itself, or very many (a child per %s)',
  (processPer) => {
    it.each(['DEEP_INITIALIZE', 'MANY_INITIALIZE'])('is refused, or passed on as it is: %s', async (name) => {
      const origin = await start({ processPer, env: { [name]: '1' } })
      const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } }
      const text = await (await sendMcp(`${origin}/mcp`, { body: createRequest('initialize', params, 9) })).text()
      expect(text).toContain(
        processPer === 'shared' ? '"upstream_invalid_response"' : name === 'DEEP_INITIALIZE' ? '[[[[[[' : '[],[],[]',
      )
      const modern = await readAnswer(sendModern(origin, 'server/discover'))
      expect(modern.error.data.error).toBe('upstream_invalid_response')
    })
  },
)
