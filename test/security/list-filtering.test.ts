import { createHash } from 'node:crypto'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openRawConnection, type RawResponse, sendRaw } from '../support/raw-client.ts'
import { type Answer, answerJson, controlStream } from '../support/recording-upstream.ts'
import { type Attempt, createCall, createModern, formatAttempt, type Stage, startStage } from '../support/stage.ts'

let stage: Stage

beforeAll(async () => {
  stage = await startStage({
    servers: ({ upstream }) => {
      const { sse: _sse, access: _access, ...free } = createOpenServer(upstream)
      return [createOpenServer(upstream), { ...free, name: 'free', path: '/free', rules: [] }]
    },
  })
})
afterAll(() => stage.close())

/** A server where everyone may use what is called open, and the boss what is secret. */
function createOpenServer(upstream: string) {
  return {
    path: '/mcp',
    upstream: `${upstream}/up`,
    sse: { path: '/sse', upstream: `${upstream}/sse` },
    audience: ['https://mcp.example.com/mcp'],
    scopes: ['mcp:tools'],
    rules: [
      { tool: 'open_later', scopes: ['later'] },
      { tool: 'open_to_some', require: 'args.amount <= 100' },
      { tool: 'open_never', require: "'admins' in principal.groups" },
      { tool: 'open_denied', deny: true as const, on_deny: 'hide' as const },
    ],
    access: [
      { everyone: true as const, tools: ['open*'], prompts: ['open*'], resources: ['file:///open/**'] },
      { who: "'mcp:boss' in principal.scopes", tools: ['secret*'] },
    ],
  }
}

const tools = (...names: string[]) => ({ jsonrpc: '2.0', id: 1, result: { tools: names.map((name) => ({ name })) } })
const list = createCall('tools/list')

function ask(answer: Answer, attempt: Attempt = {}): Promise<RawResponse> {
  stage.answerWith(answer)
  return sendRaw(stage.proxy.port, formatAttempt(stage, { body: list, ...attempt }))
}

const raw =
  (body: string | Buffer, headers: Record<string, string> = { 'Content-Type': 'application/json' }, status = 200): Answer =>
  (_request, response) =>
    void response.writeHead(status, headers).end(body)

const events = (text: string): Answer => raw(text, { 'Content-Type': 'text/event-stream' })

const textOf = ({ body }: RawResponse): string => body.toString('utf8')

describe('a list', () => {
  it('shows what may be used, what needs more scopes, and what depends on arguments', async () => {
    const answer = await ask(
      answerJson(tools('open', 'secret', 'open_later', 'open_to_some', 'open_never', 'open_denied', 'Open', 'drop')),
    )
    expect(answer.status).toBe(200)
    expect(JSON.parse(textOf(answer))).toEqual(tools('open', 'open_later', 'open_to_some'))
  })

  it('is that of the token, and changes with it', async () => {
    const boss = await stage.mint({ scope: 'mcp:tools mcp:boss' })
    const answer = answerJson(tools('open', 'secret'))
    expect(JSON.parse(textOf(await ask(answer, { token: boss })))).toEqual(tools('open', 'secret'))
    expect(JSON.parse(textOf(await ask(answer)))).toEqual(tools('open'))
  })

  it('passes untouched where no policy needs it, encoded if the client likes', async () => {
    const body = gzipSync(JSON.stringify(tools('secret')))
    const answer = await ask(raw(body, { 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' }), {
      target: '/free',
      headers: [['Accept-Encoding', 'gzip']],
    })
    expect(answer.body).toEqual(body)
    expect((await stage.upstream.requests.at(-1))?.headers['accept-encoding']).toBe('gzip')
  })

  it('is private in 2026-07-28, on a page without anything hidden as well', async () => {
    const modern = createModern('tools/list')
    const page = { ...tools('open'), result: { tools: [{ name: 'open' }], cacheScope: 'public', nextCursor: 'x' } }
    const answer = await ask(answerJson(page), modern)
    expect(JSON.parse(textOf(answer)).result).toEqual({ tools: [{ name: 'open' }], cacheScope: 'private', nextCursor: 'x' })
    const without = await ask(answerJson(tools()), modern)
    expect(JSON.parse(textOf(without)).result).toEqual({ tools: [], cacheScope: 'private' })
  })

  it.each([
    ['tools', 'tools/list', (name: string) => ({ name })],
    ['prompts', 'prompts/list', (name: string) => ({ name })],
    ['resources', 'resources/list', (name: string) => ({ uri: `file:///${name}/x`, name: 'x' })],
    ['resourceTemplates', 'resources/templates/list', (name: string) => ({ uriTemplate: `file:///${name}/{x}`, name: 'x' })],
  ])('of %s is private on every page, whatever the server says and whether or not something goes', async (key, method, item) => {
    const attempt = createModern(method)
    const shown = [item('open')]
    for (const cacheScope of ['public', 'private', 'PUBLIC', null, 7, undefined])
      for (const hidden of [[], [item('secret')]])
        for (const nextCursor of ['next', undefined]) {
          const page = { jsonrpc: '2.0', id: 1, result: { [key]: [...hidden, ...shown], ttlMs: 5, nextCursor, cacheScope } }
          const kept = { [key]: shown, ttlMs: 5, ...(nextCursor && { nextCursor }), cacheScope: 'private' }
          expect(JSON.parse(textOf(await ask(answerJson(page), attempt))).result).toEqual(kept)
          const [, data = ''] = /data: (.*)/.exec(textOf(await ask(events(`data: ${JSON.stringify(page)}\n\n`), attempt))) ?? []
          expect(JSON.parse(data).result).toEqual(kept)
        }
  })

  it('is filtered in an answer to another request, to a batch, and on a stream of its own', async () => {
    const secret = tools('secret')
    expect(textOf(await ask(answerJson(secret), { body: createCall('ping') }))).not.toContain('secret')
    const batch = await ask(answerJson([secret, secret]), { body: [list, createCall('tools/list', {}, 2)] })
    expect(JSON.parse(textOf(batch))).toEqual([tools(), tools()])
    const stream = await ask(events(`data: ${JSON.stringify(secret)}\n\n`), { method: 'GET', body: undefined })
    expect(textOf(stream)).toContain(JSON.stringify(tools()))
    const json = await ask(answerJson(secret), { method: 'GET', body: undefined })
    expect(JSON.parse(textOf(json))).toEqual(tools())
    const error = await ask(answerJson(secret, 400))
    expect([error.status, JSON.parse(textOf(error))]).toEqual([400, tools()])
  })

  it.each([
    ['of another type', 'text/plain'],
    ['of no type', undefined],
  ])('is filtered in an error %s', async (_what, type) => {
    const answer = await ask(raw(JSON.stringify(tools('secret')), type === undefined ? {} : { 'Content-Type': type }, 404))
    expect(JSON.parse(textOf(answer))).toEqual(tools())
  })
})

describe('what hides a list from the filter', () => {
  const refused: readonly (readonly [string, Answer])[] = [
    ['a repeated key', raw('{"id":1,"result":{"tools":[],"tools":[{"name":"secret"}]}}')],
    ['a repeated key behind an escape', raw('{"id":1,"result":{"tools":[],"t\\u006fols":[{"name":"secret"}]}}')],
    ['two results', raw('{"id":1,"result":{},"result":{"tools":[{"name":"secret"}]}}')],
    ['a key in other letters', raw('{"id":1,"result":{"TOOLS":[{"name":"secret"}]}}')],
    ['an item without a name', raw('{"id":1,"result":{"tools":[{"title":"secret"}]}}')],
    ['half an answer', raw('{"id":1,"result":{"tools":[{"name":"secret"}]')],
    ['comments', raw('/**/{"id":1,"result":{"tools":[{"name":"secret"}]}}')],
    ['another encoding of characters', raw(Buffer.from(JSON.stringify(tools('secret')), 'utf16le'))],
    ['gzip', raw(gzipSync(JSON.stringify(tools('secret'))), { 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' })],
    [
      'Brotli in a stream',
      raw(brotliCompressSync(`data: ${JSON.stringify(tools('secret'))}\n\n`), {
        'Content-Type': 'text/event-stream',
        'Content-Encoding': 'br',
      }),
    ],
    ['a part of the answer', raw('cret"}]}}', { 'Content-Type': 'application/json', 'Content-Range': 'bytes 40-48/49' }, 206)],
    ['an answer without a type that is no JSON', raw(`data: ${JSON.stringify(tools('secret'))}\n\n`, {})],
    ['a huge list', raw(JSON.stringify(tools(...Array.from({ length: 60_000 }, () => 'secret'))))],
    ['a huge answer', raw(`{"id":1,"result":{"tools":[{"name":"secret"}],"x":"${'x'.repeat(16 * 1024 * 1024)}"}}`)],
  ]

  it.each(refused)('is refused: %s', async (_what, answer) => {
    const response = await ask(answer)
    expect(response.status).toBe(502)
    expect(JSON.parse(textOf(response))).toMatchObject({ id: 1, error: { data: { error: 'answer_unfilterable' } } })
    expect(textOf(response)).not.toContain('secret')
  })

  // Both SDK clients read events from any answer to GET, whatever type it has.
  it.each([
    ['of another type', { 'Content-Type': 'text/plain' }],
    ['of the type of JSON', { 'Content-Type': 'application/json' }],
    ['without a type', {}],
    ['of two types', { 'Content-Type': 'text/event-stream;application/json' }],
  ])('is refused in a stream %s', async (_what, headers: Record<string, string>) => {
    const event = `data: ${JSON.stringify(tools('secret'))}\n\n`
    for (const body of [event, `\ufeff${event}`, `: x\r${event}`, `id: 1\r\n${event}`, `${event}: x`]) {
      const response = await ask(raw(body, headers), { method: 'GET', body: undefined })
      expect(response.status).toBe(502)
      expect(textOf(response)).toContain('answer_unfilterable')
      expect(textOf(response)).not.toContain('secret')
    }
  })

  // Go's `TrimSpace`, Python's `strip`, C#'s `Trim` and JavaScript's `trim` leave out more than JSON does.
  it.each(['\u00a0', '\u0085', '\ufeff', '\u3000', ' \u2003\t'])(
    'is cut, or refused, behind what many readers take for a blank: %j',
    async (blank) => {
      const message = blank + JSON.stringify(tools('secret'))
      for (const event of ['event: other\n', 'event: message\n', ''])
        for (const attempt of [{}, { method: 'GET', body: undefined }]) {
          const received = await ask(events(`: x\n\n${event}data: ${message}\n\n`), attempt).then(textOf, String)
          expect(received).not.toContain('secret')
        }
      for (const status of [200, 404]) {
        const response = await ask(raw(message, { 'Content-Type': 'application/json' }, status), {
          method: 'GET',
          body: undefined,
        })
        expect([response.status, textOf(response)]).toEqual([502, expect.not.stringContaining('secret')])
      }
    },
  )

  it('is cut on a line of an event of another name: simple readers parse each line of data by itself', async () => {
    const line = JSON.stringify(tools('secret'))
    for (const data of [
      `data: x\ndata: ${line}`,
      `data: 1\rdata: ${line}\rdata: [2]`,
      `data\ndata: x\ndata:\u00a0\u0085${line}\u0085 `,
    ]) {
      const received = await ask(events(`event: other\n${data}\n\n`)).then(textOf, String)
      expect(received).not.toContain('secret')
    }
    const harmless = `event: log\ndata: begins\ndata: [12:00] tools are there\ndata: ${JSON.stringify(tools('open'))}\n\n`
    expect(textOf(await ask(events(harmless)))).toBe(harmless)
    const long = await ask(events(`event: other\ndata: x\n${`data: ${JSON.stringify(tools('open'))}\n`.repeat(1200)}\n`)).then(
      textOf,
      String,
    )
    expect(long).toContain('ended in the middle')
  })

  it.each([
    ['in a result', (inner: string) => `data: {"jsonrpc":"2.0","id":1,"result":{"x":\ndata: ${inner}\ndata: }}\n\n`],
    [
      'behind what is hidden',
      (inner: string) => `data: {"id":1,"result":{"tools":[{"name":"secret"}],"x":\r: c\rdata:${inner}\rdata: }}\n\n`,
    ],
    ['in a batch', (inner: string) => `data: [{"id":1,"result":{"x":[1,\ndata:${inner}\ndata:,2]}}\ndata:]\n\n`],
  ])(
    'is on no line of data for a reader that parses each by itself, where together they are another message: %s',
    async (_w, wrap) => {
      const received = textOf(await ask(events(wrap(JSON.stringify(tools('secret'))))))
      const data = received.split(/\r\n|\n|\r/).filter((line) => line.startsWith('data'))
      expect(data).toHaveLength(1)
      const [message] = [JSON.parse(data[0]?.slice('data:'.length) ?? '')].flat()
      expect(message.result.tools ?? []).toEqual([])
    },
  )

  it.each([
    ['of an item', 'data: {"id":1,"result":{"tools":[{"name":"sec\ndata: ret"},{"name":"echo"}]}}\n\n'],
    ['of an item, before a blank', 'data: {"id":1,"result":{"prompts":[{"name":"secret\rdata:  all"}]}}\n\n'],
    ['of the list', 'data: {"id":1,"result":{"to\ndata: ols":[{"name":"secret"}]}}\n\n'],
    ['of the list, as an escape', 'data: {"id":1,"result":{"to\\u006\r\ndata: fls":[{"name":"secret"}]}}\n\n'],
  ])('is no line that ends in the middle of a name %s: some readers put nothing between lines', async (_w, event) => {
    const received = await ask(events(event)).then(textOf, String)
    expect(received).toContain('ended in the middle')
    expect(received).not.toMatch(/secret|ret"|all"|ls"/)
  })

  it.each([
    'Notifications/Resources/Updated',
    'notifications/resources/updated ',
    'notification\u017f/resources/updated',
    'notifications/resources/updated\\u0000x',
    'notifications\\u002fresources\\u002fUPDATED',
  ])('is cut in a notification that looks like one about a resource: %j', async (method) => {
    const message = `{"jsonrpc":"2.0","method":"${method}","params":{"uri":"file:///secret/a"}}`
    const received = await ask(events(`data: ${message}\n\n`), { method: 'GET', body: undefined }).then(textOf, String)
    expect(received).not.toContain('secret')
    expect(received).toContain('ended in the middle')
  })

  it.each([
    '{"notifications":[{"resourceSubscriptions":["file:///secret/a"]}]}',
    '{"notifications":"file:///secret/a of resourceSubscriptions"}',
    '{"notifications":{"resourceSubscriptions":{"file:///secret/a":true}}}',
    '{"notifications":{"resourceSubscriptions":"file:///secret/a"}}',
    '{"notifications":{"resourceSubscriptions":[["file:///secret/a"]]}}',
    '{"notifications":{"resourceSubscriptions":[7,"file:///secret/a"]}}',
  ])('is cut in an acknowledgment of another shape: %s', async (params) => {
    const message = `{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":${params}}`
    const received = await ask(events(`data: ${message}\n\n`), { method: 'GET', body: undefined }).then(textOf, String)
    expect(received).not.toContain('secret')
    expect(received).toContain('ended in the middle')
  })

  it('cannot be asked for: neither an encoding nor a part of the answer is', async () => {
    const headers = [
      ['Accept-Encoding', 'gzip, br'],
      ['Range', 'bytes=10-'],
      ['If-Range', '"x"'],
    ] as const
    await ask(answerJson(tools('secret')), { headers })
    const { headers: sent } = stage.upstream.requests.at(-1) ?? { headers: {} }
    expect(sent).not.toHaveProperty('accept-encoding')
    expect(sent).not.toHaveProperty('range')
    expect(sent).not.toHaveProperty('if-range')
  })

  it.each([
    [
      'escapes',
      '{"id":1,"r\\u0065sult":{"t\\u006fols":[{"n\\u0061me":"s\\u0065cret"}]}}',
      '{"id":1,"r\\u0065sult":{"t\\u006fols":[]}}',
    ],
    ['the form of its letters', JSON.stringify(tools('secr\u00e9t', 'secre\u0301t', '\uff53ecret')), JSON.stringify(tools())],
    [
      'a result in a result',
      '{"id":1,"result":{"tools":[{"name":"secret"}],"result":{"tools":[]}}}',
      '{"id":1,"result":{"tools":[],"result":{"tools":[]}}}',
    ],
  ])('does not by %s', async (_what, before, after) => {
    expect(textOf(await ask(raw(before)))).toBe(after)
    expect(textOf(await ask(events(`data: ${before}\n\n`)))).toContain(`data: ${after}\n\n`)
  })

  it('does not by any spelling of the name, however the answer is sent: as JSON, as an event, in a batch, in pieces', async () => {
    const spellings = (letter: string): string[] => {
      const variants = [letter, letter.toUpperCase(), ...(letter === 's' ? ['\u017f'] : [])]
      return variants.flatMap((one) => [one, `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`])
    }
    const name = fc
      .constantFrom('tools', 'prompts', 'resources', 'resourceTemplates')
      .chain((exact) => fc.tuple(...[...exact].map((letter) => fc.constantFrom(letter, letter, ...spellings(letter)))))
      .map((letters) => letters.join(''))
    const member = fc.constantFrom('', '"text":"a \\u003cb\\u003e \\\\ \\" c",', '"content":[{"type":"text","text":"é"}],')
    const form = fc.constantFrom<[type: string, format: (message: string) => string]>(
      ['application/json', (message) => message],
      ['application/json', (message) => `[${message}]`],
      ['application/json; charset=utf-8', (message) => `\n ${message} \n`],
      ['text/event-stream', (message) => `event: message\ndata: ${message}\n\n`],
      ['text/event-stream', (message) => `id: 1\r\ndata:${message.replace(':', ':\r\ndata:')}\r\n\r\n`],
    )
    const attempt = fc.asyncProperty(name, member, form, fc.nat(), async (spelled, before, [type, format], place) => {
      const item = '{"name":"secret","uri":"file:///secret","uriTemplate":"file:///secret/{a}"}'
      const body = Buffer.from(format(`{"jsonrpc":"2.0","id":1,"result":{${before}"${spelled}":[${item}]}}`))
      const cut = 1 + (place % (body.length - 1))
      const pieces = [body.subarray(0, cut), body.subarray(cut)]
      const answer = ask(async (_request, response) => {
        response.writeHead(200, { 'Content-Type': type })
        for (const piece of pieces) await new Promise((sent) => response.write(piece, sent))
        response.end()
      })
      // A stream is cut, and the error tells what had come until then.
      const received = await answer.then(textOf, String)
      expect(received).not.toContain('secret')
      expect(received).toMatch(/"result"|answer_unfilterable|ended in the middle/)
    })
    await fc.assert(attempt, { numRuns: 150 })
  })

  it('cuts a stream, and what came before stays', async () => {
    const good = `data: ${JSON.stringify(tools('open'))}\n\n`
    const stream = controlStream()
    stage.answerWith(stream.answer)
    const connection = await openRawConnection(stage.proxy.port)
    connection.write(formatAttempt(stage, { body: list }))
    await stream.send(good)
    await connection.waitFor(good)
    await stream.send('data: {"id":1,"result":{"Tools":[{"name":"secret"}]}}\n\n')
    await connection.closed
    expect(connection.received().toString()).not.toContain('secret')
    expect(connection.received().toString()).not.toContain('\r\n0\r\n')
    const line = await stage.proxy.log.waitFor(
      ({ code, cause }) => code === 'answer_unfilterable' && String(cause).includes('tools'),
    )
    expect(line).toMatchObject({ level: 'warn' })
  })
})

describe('an event stream', () => {
  const updated = (uri: string): string =>
    `event: message\ndata: {"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"${uri}"}}\n\n`

  it('in single bytes shows what may be used, and tells nothing of hidden resources', async () => {
    const stream = controlStream()
    stage.answerWith(stream.answer)
    const connection = await openRawConnection(stage.proxy.port)
    connection.write(formatAttempt(stage, { method: 'GET', target: '/mcp' }))
    const text = `: hi\n\n${updated('file:///secret/a')}data: ${JSON.stringify(tools('secret', 'open'))}\r\n\r\n${updated('file:///open/a')}`
    for (const byte of Buffer.from(text)) await stream.send(Buffer.of(byte))
    await connection.waitFor(updated('file:///open/a'))
    const received = connection.received().toString()
    expect(received.replaceAll(/\r\n[0-9a-f]+\r\n/g, '')).toContain(`data: ${JSON.stringify(tools('open'))}\r\n\r\n`)
    expect(received).not.toContain('secret')
    connection.destroy()
  })

  it.each(['file:///open/../secret/a', 'file:///open/%2e%2e/secret/a', 'FILE:///secret', 'file:///open%2fa/../../secret'])(
    'tells nothing of %s, which some server opens as a hidden resource',
    async (uri) => {
      expect(textOf(await ask(events(`${updated(uri)}data: {}\n\n`)))).not.toContain(uri)
    },
  )

  it('of HTTP+SSE shows what may be used', async () => {
    const stream = controlStream()
    stage.answerWith(stream.answer)
    const connection = await openRawConnection(stage.proxy.port)
    connection.write(formatAttempt(stage, { method: 'GET', target: '/sse' }))
    await stream.send(`event: endpoint\ndata: /m?s=1\n\ndata: ${JSON.stringify(tools('secret', 'open'))}\n\n`)
    await connection.waitFor(JSON.stringify(tools('open')))
    expect(connection.received().toString()).not.toContain('secret')
    connection.destroy()
  })

  it('answers at the messages endpoint as before', async () => {
    const stream = controlStream()
    stage.answerWith(stream.answer)
    const connection = await openRawConnection(stage.proxy.port)
    connection.write(formatAttempt(stage, { method: 'GET', target: '/sse' }))
    await stream.send('event: endpoint\ndata: /m?s=1\n\n')
    await connection.waitFor('/messages?endpoint=')
    const [, target = ''] = /data: (\/messages\?endpoint=[\w.-]+)/.exec(connection.received().toString()) ?? []
    const accepted = await ask(raw('Accepted', {}, 202), { target })
    expect([accepted.status, textOf(accepted)]).toEqual([202, 'Accepted'])
    const told = await ask(answerJson(tools('secret')), { target })
    expect(textOf(told)).not.toContain('secret')
    connection.destroy()
  })
})

describe('the result of a call', () => {
  it('passes byte for byte, and a long one as well', async () => {
    const image = createHash('sha256').update('x').digest('base64').repeat(200_000)
    const text = `{ "jsonrpc":"2.0","id":1,"result":{"content":[{"type":"image","data":"${image}"}], "isError" : false}}`
    const answer = await ask(raw(text), { body: createCall('tools/call', { name: 'open' }) })
    expect(answer.status).toBe(200)
    expect(textOf(answer)).toBe(text)
  })
})
