import { afterEach, describe, expect, it } from 'vitest'
import { openStdioGate, type StdioGate, scripted } from './support/gate.ts'
import { callModern, type Message, readAnswer, readEvents, sendModern } from './support/mcp-requests.ts'

let gate: StdioGate
const open = async (era: string, plan: Partial<Parameters<typeof openStdioGate>[0]> = {}) => {
  gate = await openStdioGate({ command: scripted, env: { ERA: era }, ...plan })
  return gate.origin
}
afterEach(() => gate.close())

/** Subscribes, and reads past the acknowledgment. */
async function listen(origin: string, notifications: object, id: string | number = 'l', user = 'alice') {
  const events = readEvents(await sendModern(origin, 'subscriptions/listen', { notifications }, { id, user }))
  const next = async (): Promise<Message | undefined> => {
    const { value } = await events.next()
    return value && JSON.parse(value.data)
  }
  expect((await next())?.method).toBe('notifications/subscriptions/acknowledged')
  return next
}

/** Has the server say that something has changed, to every subscription that it knows of. */
const change = (origin: string, method: string, params: object = {}) =>
  readAnswer(callModern(origin, 'changed', { method, params }))

const subscriptionId = 'io.modelcontextprotocol/subscriptionId'
const [tools, updated] = ['notifications/tools/list_changed', 'notifications/resources/updated']

describe('a subscription that a server of 2026-07-28 ends', () => {
  it.each(['a-text', 7])('is answered at the client, and its stream ends (id %j)', async (id) => {
    const origin = await open('modern')
    const next = await listen(origin, { toolsListChanged: true }, id)
    await readAnswer(callModern(origin, 'endListens'))
    expect(await next()).toEqual({
      jsonrpc: '2.0',
      id,
      result: { resultType: 'complete', _meta: { [subscriptionId]: id } },
    })
    expect(await next()).toBeUndefined()
  })

  it('ends for its own client, and for no other', async () => {
    const origin = await open('modern')
    const mine = await listen(origin, { toolsListChanged: true })
    const bobs = await listen(origin, { toolsListChanged: true }, 'l', 'bob')
    await readAnswer(callModern(origin, 'endListens'))
    expect((await mine())?.result).toBeDefined()
    await readAnswer(callModern(origin, 'changed', {}, { user: 'bob' }))
    expect((await bobs())?.method).toBe(tools)
  })
})

describe.each(['modern', 'legacy'])('a subscription at a server that is %s', (era) => {
  // A legacy server can tell of nothing that was not asked for: such a subscription is over when it is acknowledged.
  it.runIf(era === 'modern')('for nothing hears of nothing', async () => {
    const origin = await open(era)
    const next = await listen(origin, {})
    await change(origin, tools)
    await change(origin, updated, { uri: 'x:y' })
    await readAnswer(callModern(origin, 'endListens'))
    expect((await next())?.result.resultType).toBe('complete')
  })

  it('for tools hears of no resource', async () => {
    const origin = await open(era)
    const next = await listen(origin, { toolsListChanged: true })
    await change(origin, updated, { uri: 'x:y' })
    await change(origin, tools)
    expect((await next())?.method).toBe(tools)
  })

  it('for one resource hears neither of another one nor of tools', async () => {
    const origin = await open(era)
    const next = await listen(origin, { resourceSubscriptions: ['x:y'] })
    for (const uri of ['x:', 'x:y/z', 'X:y', ['x:y'], { uri: 'x:y' }, null]) await change(origin, updated, { uri })
    await change(origin, tools)
    await change(origin, updated, { uri: 'x:y', last: true })
    expect((await next())?.params).toMatchObject({ uri: 'x:y', last: true })
  })
})
