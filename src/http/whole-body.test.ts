import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type BodyReading, readBody } from './body.ts'
import { readRequestHead } from './request-head.ts'

const limits = { bodyBytes: 1024, bodyIdleSeconds: 60 }
const seen: { body: string; atOnce: boolean; requestClosed: boolean }[] = []
let client: Socket

/** Asks for the body a moment after the header section, as those do who look at the token first. */
async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  await undefined
  const claimRoom: BodyReading['claimRoom'] = () => {
    throw new Error('these are short')
  }
  const read = readBody({ request, response, limits, claimRoom }, readRequestHead(request))
  const body = await Promise.resolve(read).then(String, ({ code }) => `refused: ${code}`)
  seen.push({ body, atOnce: Buffer.isBuffer(read), requestClosed: request.destroyed })
  response.end('read')
}

const server = createServer((request, response) => void answer(request, response))
beforeAll(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)))
afterAll(() => void server.close())
afterEach(() => {
  client.destroy()
  seen.length = 0
})

async function send(...pieces: string[]): Promise<void> {
  client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  client.setNoDelay(true).resume()
  for (const piece of pieces) await new Promise((resolve) => client.write(piece, resolve))
}
async function waitForAnswers(count: number): Promise<void> {
  while (seen.length < count) await new Promise((resolve) => setImmediate(resolve))
}
const post = (body: string, ...fields: string[]) =>
  ['POST / HTTP/1.1', 'Host: localhost', `Content-Length: ${body.length}`, ...fields, '', body].join('\r\n')

describe('a body that came with its header section', () => {
  it('is there at once', async () => {
    await send(post('hello'))
    await waitForAnswers(1)
    expect(seen).toEqual([{ body: 'hello', atOnce: true, requestClosed: false }])
  })

  it('is its own, and so is the next one in the same packet', async () => {
    await send(post('one') + post('number two') + post('three'))
    await waitForAnswers(3)
    expect(seen.map(({ body }) => body)).toEqual(['one', 'number two', 'three'])
  })

  it('is there at once, again and again on one connection', async () => {
    await send(post('one'))
    for (const [index, body] of ['two', 'three', 'four'].entries()) {
      await waitForAnswers(index + 1)
      client.write(post(body))
    }
    await waitForAnswers(4)
    expect(seen.map(({ body, atOnce }) => [body, atOnce])).toEqual(['one', 'two', 'three', 'four'].map((body) => [body, true]))
  })

  it('is waited for where a part of it is missing', async () => {
    const [head = '', tail = ''] = post('hello world').split(' world')
    const begun = new Promise<void>((resolve) => server.once('request', () => resolve()))
    await send(head)
    await begun
    client.write(` world${tail}`)
    await waitForAnswers(1)
    expect(seen).toMatchObject([{ body: 'hello world', atOnce: false }])
  })

  it('is refused where it is longer than permitted', async () => {
    await send(post('x'.repeat(1025)))
    await waitForAnswers(1)
    expect(seen).toMatchObject([{ body: 'refused: body_too_large', atOnce: false }])
  })

  it('is waited for where nothing announces how long it is', async () => {
    await send('POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n')
    await waitForAnswers(1)
    expect(seen).toMatchObject([{ body: 'hello', atOnce: false }])
  })
})
