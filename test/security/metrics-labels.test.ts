import { afterEach, describe, expect, it } from 'vitest'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import {
  createBrowser,
  createRawClient,
  createRequest,
  obtainTokens,
  openConsentPage,
  postForm,
  readRefresh,
  register,
  sendConsent,
} from '../support/broker-client.ts'
import { type BrokerStage, startBrokerStage } from '../support/broker-stage.ts'
import { createRequest as createMcpRequest, createToolCall, sendMcp } from '../support/mcp-requests.ts'

let stage: BrokerStage | undefined
afterEach(async () => {
  await stage?.close()
  stage = undefined
})

const [ALICE] = SAMPLE_USERS
/** Part of all that the attacker makes up. */
const NEEDLE = 'needle'

async function start() {
  const open = await startBrokerStage({
    config: { admin: { port: 0 } },
    servers: (upstream) => [{ name: 'example', path: '/mcp', upstream, rules: [{ tool: 'needle_*', deny: true }] }],
  })
  stage = open
  const { origin, adminUrl } = open.proxy
  const client = await createRawClient(origin)
  const { access_token: user } = await obtainTokens(origin, client, ALICE)
  const read = async (): Promise<readonly string[]> => {
    const text = await (await fetch(`${adminUrl}/metrics`)).text()
    return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  }
  const send = async (body: unknown, more: object = {}): Promise<void> => {
    await (await sendMcp(open.url, { user, body, ...more })).text()
  }
  return { origin, client, user, read, send }
}

const nameOf = (line: string): string => line.slice(0, line.lastIndexOf(' '))

describe('what an attacker makes up becomes no label', () => {
  it('as method, tool, HTTP method, path, token or session, however many', async () => {
    const { origin, read, send } = await start()
    const attack = async (i: number): Promise<void> => {
      const word = `${NEEDLE}_${i}`
      await send(createMcpRequest(word, {}, 1))
      await send(createMcpRequest(`notifications/${word}`, {}, undefined as never))
      await send(createToolCall(word, {}))
      await send(createToolCall(`${'x'.repeat(200)}${word}`, {}))
      await send([createMcpRequest(word, {}, 1), createMcpRequest(`b${word}`, {}, 2)])
      await send({ jsonrpc: '2.0', id: 1, result: { [word]: word } })
      await send(createMcpRequest('ping', {}, 1), {
        session: word,
        headers: { 'mcp-protocol-version': word, 'mcp-method': word },
      })
      await send(createMcpRequest('ping', {}, 1), { user: word })
      await send(createMcpRequest('ping', {}, 1), { method: 'PUT' })
      await (await fetch(`${origin}/${word}?${word}=1`)).text()
    }
    await attack(0)
    const before = new Set((await read()).map(nameOf))
    for (let i = 1; i <= 30; i++) await attack(i)
    const lines = await read()
    expect(lines.filter((line) => line.includes(NEEDLE))).toEqual([])
    expect(lines.map(nameOf).filter((name) => !before.has(name))).toEqual([])
  })

  it('as grant, client, redirect or error of the identity provider', async () => {
    const { origin, client, read } = await start()
    const attack = async (i: number): Promise<void> => {
      const word = `${NEEDLE}_${i}`
      await postForm(`${origin}/token`, { grant_type: word, client_id: client.id })
      await postForm(`${origin}/token`, { grant_type: 'refresh_token', client_id: word, refresh_token: word })
      await register(origin, { client_name: word, redirect_uris: [`https://${NEEDLE}${i}.example/cb`], grant_types: [word] })
      await fetch(createRequest(origin, client, { response_type: word }).url, { redirect: 'manual' })
      await fetch(createRequest(origin, client, { scope: word, prompt: word }).url, { redirect: 'manual' })
      const browser = createBrowser()
      const page = await openConsentPage(browser, createRequest(origin, client).url)
      const { searchParams, origin: iss } = new URL(readRefresh(await (await sendConsent(browser, page)).text()))
      const answer = new URLSearchParams({ error: word, error_description: word, state: searchParams.get('state') ?? '', iss })
      await browser.open(`${origin}/oauth/callback?${answer}`)
    }
    await attack(0)
    const before = new Set((await read()).map(nameOf))
    for (let i = 1; i <= 10; i++) await attack(i)
    const lines = await read()
    expect(lines.filter((line) => line.includes(NEEDLE))).toEqual([])
    expect(lines.map(nameOf).filter((name) => !before.has(name))).toEqual([])
    expect(
      lines.some((line) => /sign_ins_total\{outcome="[^"]+"\} 11$/.test(line)),
      lines.join('\n'),
    ).toBe(true)
  })

  it('and no series is there twice, which would cost a whole scrape', async () => {
    const { read, send } = await start()
    await send(createToolCall('echo', { text: 'x' }))
    const names = (await read()).map(nameOf)
    expect(names.length).toBeGreaterThan(50)
    expect(new Set(names).size).toBe(names.length)
  })
})
