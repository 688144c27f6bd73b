import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openRawConnection, type RawConnection, type RawResponse } from '../support/raw-client.ts'
import type { RecordedRequest } from '../support/recording-upstream.ts'
import { type Attempt, checkAttempt, createCall, createModern, formatAttempt, type Stage, startStage } from '../support/stage.ts'
import { findVectors } from '../support/vectors.ts'

/** Big List of Naughty Strings (Max Woolf), and some that it lacks. */
const file = findVectors('blns.json')
const strings: string[] = file === undefined ? [] : (JSON.parse(readFileSync(file, 'utf8')) as string[])
const more = [
  '\u009b31mred',
  '\u001b]0;title\u0007',
  '\u2028',
  '\u202eevil',
  '\u0000',
  'a\u0000b',
  '\u007f',
  '\r\n\r\nGET / HTTP/1.1',
  '"}\n{"level":"fatal"}',
  'x'.repeat(5000),
]
const all = [...strings, ...more]

let stage: Stage
let connection: RawConnection | undefined
beforeEach(async () => {
  stage = await startStage()
})
afterEach(async () => {
  connection?.destroy()
  connection = undefined
  await stage.close()
})

interface Outcome {
  readonly response: RawResponse
  readonly arrived: readonly RecordedRequest[]
}

let sent = 0
/** Sends on the same connection as before, unless that was closed or has been used long enough. */
async function send(attempt: Attempt): Promise<Outcome> {
  const before = stage.upstream.requests.length
  if (sent++ % 25 === 0) {
    connection?.destroy()
    connection = undefined
  }
  connection ??= await openRawConnection(stage.proxy.port)
  connection.write(formatAttempt(stage, attempt))
  const response = await connection.readResponse()
  if (response.header('connection')?.toLowerCase() === 'close') {
    connection.destroy()
    connection = undefined
  }
  return { response, arrived: stage.upstream.requests.slice(before) }
}

/** Sends every string in a place, and checks that each is refused with 400 or arrives byte for byte; then that all is as before. */
async function sendAll(
  place: (text: string) => Attempt | Promise<Attempt>,
  check: (text: string, outcome: Outcome) => Promise<void> | void,
) {
  for (const text of all) {
    const outcome = await send(await place(text))
    await check(text, outcome)
  }
  await checkAttempt(stage, { body: createCall('ping') }, { status: 200 })
}

/** Byte for byte, or 400 and nothing at all. */
async function expectExact(attempt: Attempt, { response, arrived }: Outcome, isRefused: boolean): Promise<void> {
  const what = JSON.stringify(attempt.body)
  if (isRefused) {
    expect(response.status, what).toBe(400)
    expect(arrived).toHaveLength(0)
    return
  }
  expect(response.status, what).toBe(200)
  expect(arrived).toHaveLength(1)
  expect((await arrived[0]?.body)?.toString()).toBe(JSON.stringify(attempt.body))
}

const hasNul = (text: string) => text.includes('\0')
/** No header can hold a line end or a NUL, and white space around a value is not part of it. */
const fitsHeader = (text: string) => !/[\r\n\0]/.test(text) && text.trim() === text
/** Other control characters end a connection. */
const isLegalValue = (text: string) => !/[^\P{Cc}\t\u0080-\u009f]/u.test(text)

describe.skipIf(file === undefined)('naughty strings', () => {
  it('are all there', () => {
    expect(strings).toHaveLength(515)
  })

  it.each<[string, (text: string) => unknown, (text: string) => boolean]>([
    ['the name of a tool', (name) => createCall('tools/call', { name }), hasNul],
    ['the name of a prompt', (name) => createCall('prompts/get', { name }), hasNul],
    ['the URI of a resource', (uri) => createCall('resources/read', { uri }), hasNul],
    [
      'arguments, their names, metadata and members of the envelope',
      (x) => ({
        ...createCall('tools/call', { name: 'echo', arguments: { a: x, [`${x}.`]: 1 }, _meta: { progressToken: x } }),
        [`x${x}`]: 1,
      }),
      () => false,
    ],
    ['a method', (method) => createCall(method), (text) => text === '' || hasNul(text)],
    ['an id', (id) => createCall('tools/call', { name: 'echo' }, id), (text) => JSON.stringify(text).length > 1024],
  ])('as %s arrive byte for byte or are refused', async (_where, create, isRefused) => {
    const place = (text: string) => ({ body: create(text) })
    await sendAll(place, (text, outcome) => expectExact(place(text), outcome, isRefused(text)))
  })

  it('as the id of what is refused come back as they were', async () => {
    const place = (id: string) => ({ body: createCall('tools/call', { name: 'drop_db' }, id) })
    await sendAll(place, (id, { response, arrived }) => {
      const isLong = JSON.stringify(id).length > 1024
      expect(response.status).toBe(isLong ? 400 : 403)
      // An id that cannot be told is left out (JSON-RPC's null is none that MCP's schemas take).
      expect(JSON.parse(response.body.toString()).id).toBe(isLong ? undefined : id)
      expect(arrived).toHaveLength(0)
    })
  })

  it('as Mcp-Name in Base64 agree with the body', async () => {
    const place = (name: string): Attempt => {
      const { headers = [], body } = createModern('tools/call', { name })
      const encoded = `=?base64?${Buffer.from(name).toString('base64')}?=`
      return { headers: headers.map(([key, value]) => [key, key === 'Mcp-Name' ? encoded : value] as const), body }
    }
    await sendAll(place, (text, outcome) => expectExact(place(text), outcome, hasNul(text)))
  })

  it('as Mcp-Name in Base64 disagree with another body', async () => {
    const place = (name: string): Attempt => {
      const { headers = [], body } = createModern('tools/call', { name: 'echo' })
      const encoded = `=?base64?${Buffer.from(name).toString('base64')}?=`
      return { headers: headers.map(([key, value]) => [key, key === 'Mcp-Name' ? encoded : value] as const), body }
    }
    await sendAll(place, (text, outcome) => expectExact(place(text), outcome, true))
  })

  it('as a user agent arrive byte for byte or are refused', async () => {
    const place = (text: string): Attempt => ({
      headers: [['User-Agent', fitsHeader(text) ? text : 'x']],
      body: createCall('ping'),
    })
    await sendAll(place, async (text, outcome) => {
      const isRefused = fitsHeader(text) && !isLegalValue(text)
      await expectExact(place(text), outcome, isRefused)
      if (isRefused || !fitsHeader(text)) return
      expect(Buffer.from(String(outcome.arrived[0]?.headers['user-agent']), 'latin1').toString()).toBe(text)
    })
  })

  it('as a session id open nothing', async () => {
    const place = (text: string): Attempt => ({
      headers: [['Mcp-Session-Id', fitsHeader(text) ? text : 'x']],
      body: createCall('ping'),
    })
    await sendAll(place, (text, { response, arrived }) => {
      expect(response.status, JSON.stringify(text)).toBe(isLegalValue(text) || !fitsHeader(text) ? 404 : 400)
      expect(arrived).toHaveLength(0)
    })
  })

  it.each(['Origin', 'MCP-Protocol-Version', 'Mcp-Method'])('as %s are never right', async (name) => {
    // The method counts from 2026-07-28 on; before, it goes no further when it disagrees with the body.
    const { headers: modern = [], body } = createModern('tools/list')
    const others = name === 'Mcp-Method' ? modern.filter(([key]) => key !== name) : []
    const place = (text: string): Attempt => ({
      headers: [...others, [name, fitsHeader(text) ? text : 'x']],
      body: name === 'Mcp-Method' ? body : createCall('ping'),
    })
    await sendAll(place, (_text, { response, arrived }) => {
      expect(response.status).toBe(name === 'Origin' && response.status !== 400 ? 403 : 400)
      expect(arrived).toHaveLength(0)
    })
  })

  it('as the id of a key find none', async () => {
    const place = async (kid: string) => {
      const token = await stage.issuer.mint({ header: { kid } })
      stage.secrets.push(token)
      return { token, body: createCall('ping') }
    }
    await sendAll(place, (_text, { response, arrived }) => {
      expect(response.status).toBe(401)
      expect(arrived).toHaveLength(0)
    })
    // The first fetch, the look for an unknown key, and the one for a token that is newer than the keys.
    expect(stage.issuer.requests.filter((path) => path === '/jwks').length).toBeLessThanOrEqual(3)
  })

  it('as a subject are taken for what they are, or refused with the token', async () => {
    const place = async (sub: string) => ({ token: await stage.mint({ sub }), body: createCall('ping') })
    await sendAll(place, (sub, { response, arrived }) => {
      const isName = sub !== '' && !/[\u0000-\u001f\u007f]/.test(sub)
      expect(response.status, JSON.stringify(sub)).toBe(isName ? 200 : 401)
      expect(arrived).toHaveLength(isName ? 1 : 0)
      expect(arrived[0]?.rawHeaders ?? []).not.toContain(sub === '' ? 'x' : Buffer.from(sub).toString('latin1'))
    })
  })
})
