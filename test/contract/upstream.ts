import { afterEach, describe, expect, it } from 'vitest'
import type { Gate } from '../support/gate.ts'
import {
  callModern,
  createRequest,
  createToolCall,
  openSession,
  readAnswer,
  readEvents,
  readMessages,
  sendMcp,
  sendModern,
  textOf,
} from '../support/mcp-requests.ts'

/** An upstream to be tested: in front of the server of the conformance suite, or what is equivalent. */
export interface UpstreamUnderTest {
  readonly gate: Gate
  close(): Promise<void>
}

/** What every upstream does, whatever the MCP server behind it is reached over. */
export function testUpstream(name: string, open: () => Promise<UpstreamUnderTest>): void {
  describe(`an upstream (${name})`, () => {
    let tested: UpstreamUnderTest
    const start = async (): Promise<string> => {
      tested = await open()
      return tested.gate.origin
    }
    afterEach(() => tested.close())

    it('opens, serves and ends an MCP session', async () => {
      const session = await openSession(await start())
      expect(session.opened.result.protocolVersion).toBe('2025-11-25')
      expect(session.id).not.toBe('')
      expect(await session.call('test_simple_text')).toContain('text')
      expect((await session.end()).status).toBe(200)
      expect((await session.post(createRequest('ping'))).status).toBe(404)
    })

    it('keeps the session of one principal from another', async () => {
      const origin = await start()
      const session = await openSession(origin)
      const stolen = await sendMcp(`${origin}/mcp`, { user: 'mallory', session: session.id, body: createRequest('ping') })
      expect(stolen.status).toBe(404)
    })

    it('answers with the id of the request, of either type', async () => {
      const session = await openSession(await start())
      for (const id of ['a"\\b', 0, 41, -7]) {
        const answer = await readAnswer(session.post(createToolCall('test_simple_text', {}, undefined, id)))
        expect(answer.id).toBe(id)
      }
    })

    it('sends notifications before the answer, in order', async () => {
      const session = await openSession(await start())
      const messages = await readMessages(
        await session.post(createToolCall('test_tool_with_progress', {}, { progressToken: 'p' })),
      )
      const progress = messages.filter(({ method }) => method === 'notifications/progress').map(({ params }) => params.progress)
      expect(progress).toEqual([...progress].sort((a, b) => a - b))
      expect(progress.length).toBeGreaterThan(1)
      expect(messages.at(-1)?.result).toBeDefined()
    })

    it('carries requests of the server and their answers', async () => {
      const session = await openSession(await start(), { capabilities: { sampling: {} } })
      const answers: string[] = []
      // Which of the two streams the question comes on is the server's choice.
      const abort = new AbortController()
      const standalone = await session.get({ signal: abort.signal })
      const asked = await session.post(createToolCall('test_sampling', { prompt: 'y' }), { signal: abort.signal })
      const answer = async (response: Response): Promise<void> => {
        const result = { model: 'm', role: 'assistant', content: { type: 'text', text: 'sampled' } }
        for await (const { data } of readEvents(response)) {
          const message = data === '' ? {} : JSON.parse(data)
          if (message.method === 'sampling/createMessage') await session.post({ jsonrpc: '2.0', id: message.id, result })
          if (message.result) answers.push(textOf(message))
        }
      }
      const listening = answer(standalone).catch(() => undefined)
      await answer(asked)
      abort.abort()
      await listening
      expect(answers).toEqual([expect.stringContaining('sampled')])
    })

    it('passes a resource, a prompt and an error on', async () => {
      const session = await openSession(await start())
      const resources = (await readAnswer(session.post(createRequest('resources/list')))).result.resources
      const read = await readAnswer(session.post(createRequest('resources/read', { uri: resources[0].uri })))
      expect(read.result.contents).toHaveLength(1)
      const wrong = await readAnswer(session.post(createRequest('prompts/get', { name: 'no such prompt' })))
      expect(wrong.error.code).toBeLessThan(0)
    })

    it('serves 2026-07-28 without a session, and discovers', async () => {
      const origin = await start()
      const discovered = await sendModern(origin, 'server/discover')
      expect(discovered.headers.get('mcp-session-id')).toBeNull()
      expect((await readAnswer(discovered)).result.supportedVersions).toContain('2026-07-28')
      const answers = Array.from({ length: 10 }, () => readAnswer(callModern(origin, 'test_simple_text', {}, { id: 'same' })))
      for (const answer of await Promise.all(answers))
        expect(answer).toMatchObject({ id: 'same', result: { resultType: 'complete' } })
    })

    it('answers unknown methods and revisions of 2026-07-28 with the right status', async () => {
      const origin = await start()
      // The answer of a program that takes a second to start begins as a stream, and with that its status is settled.
      await readAnswer(sendModern(origin, 'server/discover'))
      expect((await sendModern(origin, 'no/such/method')).status).toBe(404)
      const _meta = { 'io.modelcontextprotocol/protocolVersion': '2031-01-01', 'io.modelcontextprotocol/clientCapabilities': {} }
      const headers = { 'mcp-protocol-version': '2031-01-01', 'mcp-method': 'tools/list' }
      const response = await sendMcp(`${origin}/mcp`, { headers, body: createRequest('tools/list', { _meta }) })
      expect(response.status).toBe(400)
      expect((await readAnswer(response)).error.code).toBe(-32022)
    })

    it('has input required, and goes on with it', async () => {
      const origin = await start()
      const able = { capabilities: { elicitation: { form: {} } } }
      const first = await readAnswer(callModern(origin, 'test_input_required_result_elicitation', {}, able))
      expect(first.result.resultType).toBe('input_required')
      const [key] = Object.keys(first.result.inputRequests)
      const inputResponses = { [String(key)]: { action: 'accept', content: { name: 'Ada' } } }
      const state = first.result.requestState === undefined ? {} : { requestState: first.result.requestState }
      const params = { name: 'test_input_required_result_elicitation', arguments: {}, inputResponses, ...state }
      expect(textOf(await readAnswer(sendModern(origin, 'tools/call', params, able)))).toContain('Ada')
    })

    it('ends what is open when it is closed', async () => {
      const session = await openSession(await start())
      const response = await session.get()
      expect(response.status).toBe(200)
      const reading = response.text().catch(() => 'cut')
      await tested.gate.close()
      await reading
    })
  })
}
