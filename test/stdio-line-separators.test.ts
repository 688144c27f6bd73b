import { afterEach, describe, expect, it } from 'vitest'
import { openStdioGate, type StdioGate, scripted } from './support/gate.ts'
import { callModern, createToolCall, openSession, readAnswer, readMessages, sendModern, textOf } from './support/mcp-requests.ts'

let gate: StdioGate
const open = async (era = 'legacy') => {
  gate = await openStdioGate({ command: scripted, env: { ERA: era } })
  return gate.origin
}
afterEach(() => gate.close())

const separators = 'a\u2028b\u2029c\\\u2028d\u0085'
const decode = (text: string): string => Buffer.from(text, 'base64').toString()

// Node's `readline` ends lines at U+2028 and U+2029, Java's `Scanner` at U+0085, too. JSON permits them in strings: a server that reads so would see two halves.
describe('a server that ends lines at U+0085, U+2028 and U+2029, too,', () => {
  it('gets a call of 2025-11-25 on one line, which means the same', async () => {
    const session = await openSession(await open())
    const id = `id ${separators}`
    const messages = await readMessages(await session.post(createToolCall('line', { [separators]: separators }, undefined, id)))
    expect(messages.at(-1)!.id).toBe(id)
    const line = decode(textOf(messages.at(-1)!))
    expect(line).not.toMatch(/[\u0085\u2028\u2029]/)
    expect(JSON.parse(line)).toMatchObject({ id, params: { arguments: { [separators]: separators } } })
  })

  it('gets progress tokens, cancellations and notifications so, and what it says of them arrives', async () => {
    const session = await openSession(await open())
    const call = createToolCall('progress', { count: 1 }, { progressToken: separators }, separators)
    const [progress, answer] = await readMessages(await session.post(call)).then((all) => all.slice(-2))
    expect([progress!.params.progressToken, answer!.id]).toEqual([separators, separators])
    const hanging = session.post(createToolCall('hang', {}, undefined, separators))
    await gate.waitForStderr('hanging')
    await session.post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: separators } })
    await gate.waitForStderr('cancelled')
    await (await hanging).text()
    await session.post({ jsonrpc: '2.0', method: 'notifications/x', params: { text: separators } })
    await gate.waitForStderr('told notifications/x')
    expect(decode(await session.call('received'))).not.toMatch(/[\u0085\u2028\u2029]/)
  })

  it('gets a call of 2026-07-28 and what the user was asked so', async () => {
    const origin = await open()
    const asking = { capabilities: { elicitation: {} } }
    const question = { method: 'elicitation/create', params: { message: 'Name?', requestedSchema: { type: 'object' } } }
    const { requestState } = (await readAnswer(callModern(origin, 'ask', question, asking))).result
    const inputResponses = { 1: { action: 'accept', content: { name: separators } } }
    const params = { name: 'ask', arguments: question, requestState, inputResponses }
    expect(textOf(await readAnswer(sendModern(origin, 'tools/call', params, asking)))).toContain(
      JSON.stringify(separators).slice(1, -1),
    )
    const received = decode(textOf(await readAnswer(callModern(origin, 'received', {}, asking))))
    expect(received).toContain('\\u2028')
    expect(received).not.toMatch(/[\u0085\u2028\u2029]/)
  })
})
