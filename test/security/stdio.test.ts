// Attack family S: a stdio server that misbehaves, and clients that try to reach more of it than their own part.
import { readdirSync, readlinkSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { openStdioGate, type StdioGate, scripted, scriptedServer } from '../support/gate.ts'
import { startGateProcess } from '../support/gate-process.ts'
import {
  callModern,
  createRequest,
  createToolCall,
  type Message,
  onlyJson,
  openSession,
  readAnswer,
  readEvents,
  readMessages,
  sendMcp,
  sendModern,
  textOf,
} from '../support/mcp-requests.ts'
import { childrenOf, isRunning, listProcesses, waitUntil } from '../support/processes.ts'

/** With STRESS=1: a thousand sessions, and a million messages. */
const isStress = process.env.STRESS !== undefined
const scale = isStress ? 25 : 1

let gate: StdioGate
const open = async (plan: Partial<Parameters<typeof openStdioGate>[0]> = {}) => {
  gate = await openStdioGate({ command: scripted, ...plan })
  return gate.origin
}
afterEach(() => gate?.close())

const base64 = (text: string | Buffer) => Buffer.from(text).toString('base64')
const answerLine = (id: unknown, text: string) =>
  `${JSON.stringify({ jsonrpc: '2.0', id, result: { content: [{ type: 'text', text }] } })}\n`

describe('S1, S2: what a client sends reaches the child as exactly one line', () => {
  it.each([
    ['newlines', '\n'],
    ['carriage returns and newlines', '\r\n'],
    ['carriage returns', '\r'],
  ])('with %s between its tokens', async (_name, end) => {
    const session = await openSession(await open())
    const body = JSON.stringify(createToolCall('line', { a: [1, 'x'] }, undefined, 5), null, 2).replaceAll('\n', end)
    const line = Buffer.from(textOf(await readAnswer(session.post(body))), 'base64').toString()
    expect(line).not.toMatch(/[\r\n]/)
    expect(JSON.parse(line)).toEqual(JSON.parse(body))
  })

  // Line separators are escaped: some programs end lines there. See test/stdio-line-separators.test.ts.
  const escapeSeparators = (text: string) =>
    text.replaceAll('\u0085', '\\u0085').replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029')

  it('with separators of Unicode, escaped newlines and numbers that JavaScript would change', async () => {
    const session = await openSession(await open())
    const inside = '"text":"a\u2028b\u2029c\u0085d\\n\\r\\u000a e","n":9007199254740993,"big":1e400,"zero":-0'
    const body = `{"jsonrpc":"2.0","id":6,"method":"tools/call","params":{"name":"line","arguments":{${inside}}}}`
    const line = Buffer.from(textOf(await readAnswer(session.post(body))), 'base64').toString()
    expect(line).toBe(escapeSeparators(body))
  })

  it('and loses nothing but its id on the way through a child that others share', async () => {
    const origin = await open({ env: { ERA: 'modern' } })
    const inside = '"text":"a\u2028b\\n","n":9007199254740993,"big":1e400,"id":1,"_meta":{"progressToken":3}'
    const meta = '"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}'
    const body = `{"jsonrpc":"2.0","id":"mine","method":"tools/call","params":{"_meta":{${meta}},"name":"line","arguments":{${inside}}}}`
    const headers = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'line' }
    const line = Buffer.from(textOf(await readAnswer(sendMcp(`${origin}/mcp`, { body, headers }))), 'base64').toString()
    expect(line.replace(/"id":\d+,"method"/, '"id":"mine","method"')).toBe(escapeSeparators(body))
  })
})

describe('S3: what a child writes', () => {
  const write = async (session: Awaited<ReturnType<typeof openSession>>, id: string, bytes: string | Buffer) =>
    readAnswer(session.post(createToolCall('raw', { base64: base64(bytes) }, undefined, id)))

  it.each([
    ['a banner before it', 'Server ready!\n'],
    ['colours around it', '\u001b[32mok\u001b[0m\n'],
    ['blank lines', '\n\r\n  \n'],
    ['JSON that is no message', '{"hello":1}\n42\n[]\n"x"\nnull\n'],
    ['half a message', '{"jsonrpc":"2.0","id":"x","result":\n'],
    ['zero bytes', '\u0000\u0000\n'],
    ['an answer to nothing', answerLine('never-asked', 'x')],
    ['an answer with no id', '{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"x"}}\n'],
    ['an array as id', '{"jsonrpc":"2.0","id":["a"],"result":{}}\n'],
  ])('reaches the client although there is %s', async (_name, noise) => {
    const session = await openSession(await open())
    expect(textOf(await write(session, 'r', noise + answerLine('r', 'the answer')))).toBe('the answer')
    expect(await session.call('echo', { text: 'on' })).toBe('on')
  })

  it('reaches the client with carriage returns around its tokens, in one event and without them', async () => {
    const session = await openSession(await open())
    const response = await session.post(
      createToolCall(
        'raw',
        { base64: base64('{"jsonrpc":"2.0",\r"id":"r",\r"result":{"content":[{"type":"text","text":"x"}]}}\r\n') },
        undefined,
        'r',
      ),
    )
    const text = await response.text()
    expect(text).not.toContain('\r')
    expect(text).toContain('"text":"x"')
  })

  it('reaches the client without a newline at the end of the output', async () => {
    const origin = await open({
      command: ['/bin/sh', '-c', 'read line; printf \'{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18"}}\''],
    })
    const response = await sendMcp(`${origin}/mcp`, { body: createRequest('initialize', { protocolVersion: '2025-06-18' }, 1) })
    expect((await readAnswer(response)).result.protocolVersion).toBe('2025-06-18')
  })

  it('reaches the client when it is 12 MB long', async () => {
    const session = await openSession(await open())
    expect((await session.call('big', { bytes: 12_000_000 })).length).toBe(12_000_000)
  })

  it('is refused by the id that it answers when it is 50 MiB long, and the rest goes on', async () => {
    const session = await openSession(await open())
    const answer = await readAnswer(session.post(createToolCall('big', { bytes: 50 * 1024 * 1024 }, undefined, 'huge')))
    expect(answer).toMatchObject({ id: 'huge', error: { data: { error: 'upstream_invalid_response' } } })
    expect(await session.call('echo', { text: 'on' })).toBe('on')
  })

  it('ends the child when it is too long to tell what it answers', async () => {
    const session = await openSession(await open({ maxMessageBytes: 100_000 }))
    const answer = await write(session, 'r', `${'x'.repeat(200_000)}\n`)
    expect(answer).toMatchObject({ id: 'r', error: { data: { error: 'upstream_ended' } } })
    expect((await session.post(createRequest('ping'))).status).toBe(404)
  })

  it('is refused by its id when it is not UTF-8', async () => {
    const session = await openSession(await open())
    const bytes = Buffer.concat([
      Buffer.from('{"jsonrpc":"2.0","id":"r","result":{"x":"'),
      Buffer.from([0xff, 0xfe]),
      Buffer.from('"}}\n'),
    ])
    expect(await write(session, 'r', bytes)).toMatchObject({ id: 'r', error: { data: { error: 'upstream_invalid_response' } } })
  })

  it('may be several messages at once, and a batch', async () => {
    const session = await openSession(await open())
    const note = '{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1}}'
    const messages = await readMessages(
      await session.post(
        createToolCall('raw', { base64: base64(`${note}\n[${note},${answerLine('r', 'both').trim()}]\n`) }, undefined, 'r'),
      ),
    )
    expect(messages.map(({ method, id }) => method ?? id)).toEqual(['notifications/message', 'notifications/message', 'r'])
  })
})

describe('S4: what a child says to no client in particular', () => {
  it('reaches no client when it is a second answer to a request', async () => {
    const session = await openSession(await open())
    const twice = answerLine('r', 'first') + answerLine('r', 'second')
    const messages = await readMessages(await session.post(createToolCall('raw', { base64: base64(twice) }, undefined, 'r')))
    expect(messages.map(textOf)).toEqual(['first'])
    expect(await session.call('echo', { text: 'on' })).toBe('on')
  })

  it('reaches no client when it is a request of a server of 2026-07-28, which may not ask', async () => {
    const origin = await open({ env: { ERA: 'modern' } })
    const abort = new AbortController()
    const { signal } = abort
    // After a second the answer has begun as an event stream.
    const asked = callModern(origin, 'ask', { method: 'sampling/createMessage', params: {} }, { signal }).then((all) =>
      all.text(),
    )
    asked.catch(() => undefined)
    const echoed = await readMessages(await callModern(origin, 'echo', { text: 'x' }))
    expect(echoed).toHaveLength(1)
    abort.abort()
    await expect(asked).rejects.toThrow()
  })

  it('reaches no client when it is about a request that was never made', async () => {
    const origin = await open({ env: { ERA: 'modern' } })
    const forge = (message: object) => `${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`
    const forged = [
      forge({ method: 'notifications/progress', params: { progressToken: 'mine', progress: 1 } }),
      forge({ method: 'notifications/progress', params: { progressToken: 4711, progress: 1 } }),
      forge({
        method: 'notifications/tools/list_changed',
        params: { _meta: { 'io.modelcontextprotocol/subscriptionId': 4711 } },
      }),
      forge({ method: 'notifications/message', params: { level: 'info', data: 'to whom?' } }),
      forge({ id: 'mine', result: {} }),
    ].join('')
    const abort = new AbortController()
    const raw = callModern(origin, 'raw', { base64: base64(forged) }, { signal: abort.signal })
    const forging = raw.then((response) => response.text())
    forging.catch(() => undefined)
    const echoing = callModern(origin, 'echo', { text: 'x' }, { id: 'mine', meta: { progressToken: 'mine' } })
    expect((await readMessages(await echoing)).map(textOf)).toEqual(['x'])
    abort.abort()
    await expect(forging).rejects.toThrow()
  })
})

describe('S5: a child that ends while it is asked', () => {
  it.each([
    ['exits with 0', 'exit', { code: 0 }],
    ['exits with 1', 'exit', { code: 1 }],
    ['is killed', 'signal', { signal: 'SIGKILL' }],
    ['faults', 'signal', { signal: 'SIGSEGV' }],
  ])('that %s answers what ran with an error, and a new session serves', async (_name, tool, args) => {
    const origin = await open()
    const session = await openSession(origin, { revision: '2025-06-18' })
    const hanging = session.post(createToolCall('hang', {}, undefined, 'waits'))
    await gate.waitForStderr('hanging')
    const response = await session.post(createToolCall(tool, args, undefined, 'ends'), onlyJson)
    expect(response.status).toBe(502)
    expect(await readAnswer(response)).toMatchObject({ id: 'ends', error: { code: -31502, data: { error: 'upstream_ended' } } })
    expect(await readAnswer(hanging)).toMatchObject({ id: 'waits', error: { data: { error: 'upstream_ended' } } })
    expect((await session.post(createRequest('ping'))).status).toBe(404)
    expect(await (await openSession(origin)).call('echo', { text: 'again' })).toBe('again')
  })

  it('ends no other session', async () => {
    const origin = await open()
    const [a, b] = await Promise.all([openSession(origin), openSession(origin, { user: 'bob' })])
    await a.call('exit')
    expect(await b.call('echo', { text: 'mine' })).toBe('mine')
  })
})

describe('S6: a child that cannot be started', () => {
  const initialize = (origin: string, user = 'alice') =>
    sendMcp(`${origin}/mcp`, { user, body: createRequest('initialize', { protocolVersion: '2025-06-18' }, 9) })

  it('because there is no such command: 502, and the operator is told which', async () => {
    const origin = await open({ command: ['/no/such/server', '--secret=x'] })
    const response = await initialize(origin)
    expect(response.status).toBe(502)
    expect(await readAnswer(response)).toMatchObject({ id: 9, error: { data: { error: 'upstream_unreachable' } } })
    expect(gate.events[0]).toContain('"/no/such/server" (with 1 argument) could not be started (ENOENT)')
    expect(String(gate.records[0]?.cause)).toContain('/no/such/server')
  })

  it('because it is no program, or its directory is missing', async () => {
    const origin = await open({ command: [scriptedServer] })
    expect((await initialize(origin)).status).toBe(502)
    expect(gate.events[0]).toContain('EACCES')
    await gate.close()
    expect((await initialize(await open({ workDir: '/no/such/directory' }))).status).toBe(502)
  })

  it('because it ends at once: the operator reads its last words, the client does not', async () => {
    const origin = await open({ env: { FAIL_AT_START: '1' } })
    const response = await initialize(origin)
    expect(response.status).toBe(502)
    const text = await response.text()
    expect(text).not.toContain('cannot start')
    expect(gate.events[0]).toContain('exited with 3')
    expect(gate.events[0]).toContain('this server cannot start')
  })

  it('again and again: less and less often, 503 meanwhile, and no other client waits for it', async () => {
    const origin = await open({ env: { FAIL_AT_START: '1' } })
    const statuses: number[] = []
    for (let i = 0; i < 8 && statuses.at(-1) !== 503; i++) statuses.push((await initialize(origin)).status)
    expect(statuses.at(-1)).toBe(503)
    const refused = await initialize(origin)
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect((await initialize(origin, 'bob')).status).toBe(502)
  })
})

describe('S7, R26: nothing is left of a session', () => {
  it('not what the child has started, and no zombie', async () => {
    const script = 'sleep 1000 & sleep 1001 & exec "$@"'
    const origin = await open({ command: ['/bin/sh', '-c', script, 'sh', ...scripted] })
    const session = await openSession(origin)
    const pid = Number(await session.call('pid'))
    expect(listProcesses().filter(({ group }) => group === pid).length).toBe(3)
    await session.end()
    await waitUntil(() => listProcesses().every(({ group }) => group !== pid), 'the group ends')
  })

  it('not a child that ignores the end of its input and SIGTERM', async () => {
    const origin = await open({ env: { IGNORE_EOF: '1' } })
    const session = await openSession(origin)
    const pid = Number(await session.call('pid'))
    await session.call('stubborn')
    await session.end()
    await waitUntil(() => !isRunning(pid), 'the child is killed')
  })

  it('after many that were opened and given up', { timeout: 60_000 * scale }, async () => {
    // Who leaves just behind the answer to `initialize` has a session like everybody, and it ends by not being used.
    const origin = await open({ maxProcesses: 8, idleSeconds: 2 })
    const before = childrenOf(process.pid).length
    for (let round = 0; round < 5 * scale; round++) {
      await Promise.all(
        Array.from({ length: 8 }, async (_, i) => {
          const abort = new AbortController()
          const request = sendMcp(`${origin}/mcp`, {
            user: `user${i}`,
            body: createRequest('initialize', { protocolVersion: '2025-06-18' }),
            signal: abort.signal,
          })
          if (i % 2 === 0) setImmediate(() => abort.abort())
          const response = await request.catch(() => undefined)
          const session = response?.headers.get('mcp-session-id')
          await response?.text().catch(() => undefined)
          if (session) await sendMcp(`${origin}/mcp`, { user: `user${i}`, method: 'DELETE', session })
        }),
      )
      await waitUntil(() => childrenOf(process.pid).length <= before + 1, 'all children end')
    }
    await waitUntil(() => childrenOf(process.pid).every(({ state }) => state !== 'Z'), 'no zombie is left')
  })
})

describe('S8: a child that does not read', () => {
  it('is sent no more than can wait for it, and the rest is refused with 503', async () => {
    const session = await openSession(await open(), { revision: '2025-06-18' })
    await session.call('deaf')
    const abort = new AbortController()
    const big = 'x'.repeat(1024 * 1024)
    const sent = Array.from({ length: 12 }, () =>
      session.post(createToolCall('echo', { text: big }), { signal: abort.signal, accept: 'application/json' }),
    )
    const refused = await Promise.any(sent)
    expect(refused.status).toBe(503)
    expect(refused.headers.get('retry-after')).not.toBeNull()
    abort.abort()
    await Promise.allSettled(sent)
  })

  it('delays no other user', async () => {
    const origin = await open()
    const [deaf, other] = await Promise.all([openSession(origin), openSession(origin, { user: 'bob' })])
    await deaf.call('deaf')
    expect(await other.call('echo', { text: 'on' })).toBe('on')
  })
})

describe('S9, S10, S14: what a child is given', () => {
  it('is its arguments as they are, and no shell reads them', async () => {
    const session = await openSession(
      await open({ command: [...scripted, '$(touch /tmp/pwned); `id`', '; rm -rf x', '*', 'a b'] }),
    )
    expect(JSON.parse(await session.call('argv'))).toEqual(['$(touch /tmp/pwned); `id`', '; rm -rf x', '*', 'a b'])
  })

  it('is an environment without our secrets', async () => {
    process.env.PROXY_TEST_SECRET = 'do-not-tell'
    const session = await openSession(await open({ env: { NAMED: 'yes' }, workDir: '/' }))
    const env = JSON.parse(await session.call('env'))
    delete process.env.PROXY_TEST_SECRET
    expect(env.NAMED).toBe('yes')
    expect(env.PATH).toBe(process.env.PATH)
    expect(JSON.stringify(env)).not.toContain('do-not-tell')
    const allowed = [
      'HOME',
      'LANG',
      'LC_ALL',
      'LC_CTYPE',
      'LOGNAME',
      'NAMED',
      'NODE_EXTRA_CA_CERTS',
      'PATH',
      'PWD',
      'SHELL',
      'SSL_CERT_DIR',
      'SSL_CERT_FILE',
      'TERM',
      'TMPDIR',
      'TZ',
      'USER',
    ]
    expect(Object.keys(env).filter((name) => !allowed.includes(name))).toEqual([])
    expect(await session.call('cwd')).toBe('/')
  })

  it('is none of our sockets and files', async () => {
    const session = await openSession(await open())
    const pid = await session.call('pid')
    const opened = readdirSync(`/proc/${pid}/fd`).map((fd) => [Number(fd), readlinkSync(`/proc/${pid}/fd/${fd}`)] as const)
    const ours = new Set(readdirSync('/proc/self/fd').flatMap((fd) => readLink(`/proc/self/fd/${fd}`)))
    const shared = opened.filter(([fd, target]) => fd > 2 && target.startsWith('socket') && ours.has(target))
    expect(shared).toEqual([])
  })
})

function readLink(path: string): string[] {
  try {
    return [readlinkSync(path)]
  } catch {
    return []
  }
}

describe('S11: when the proxy ends', () => {
  it('children get the end of their input, then SIGTERM, then SIGKILL', async () => {
    const origin = await open({ env: { IGNORE_EOF: '1' } })
    const sessions = await Promise.all([openSession(origin), openSession(origin)])
    await sessions[1].call('stubborn')
    const pids = await Promise.all(sessions.map(async (session) => Number(await session.call('pid'))))
    await gate.close()
    expect(pids.filter(isRunning)).toEqual([])
  })

  it('even by SIGKILL, children end that ignore the end of their input and SIGTERM', async () => {
    const proxy = await startGateProcess({ command: scripted, env: { IGNORE_EOF: '1' } })
    const sessions = await Promise.all([openSession(proxy.origin), openSession(proxy.origin)])
    await sessions[0].call('stubborn')
    const pids = await Promise.all(sessions.map(async (session) => Number(await session.call('pid'))))
    await proxy.kill('SIGKILL')
    await waitUntil(() => pids.every((pid) => !isRunning(pid)), 'the children are killed')
  })
})

describe('S12: what a child says to its standard error', () => {
  it('stands in the log line by line, without credentials, secrets and control characters', async () => {
    const session = await openSession(await open({ secrets: ['swordfish-123'] }))
    const jwt = `eyJ${'a'.repeat(20)}.eyJ${'b'.repeat(20)}.${'c'.repeat(20)}`
    await session.call('stderr', { line: `\u001b[31mAuthorization: Bearer abcdef123456 ${jwt} swordfish-123\u0007 end` })
    const line = await gate.waitForStderr(' end')
    expect(line).toBe('Authorization: [redacted] [redacted] [redacted] end')
  })

  it('hides no secret among colours, and no line of a key', async () => {
    const key = '-----BEGIN KEY-----\nc2VjcmV0LWxpbmUtb25l\nc2VjcmV0LWxpbmUtdHdv\n-----END KEY-----\n'
    const session = await openSession(await open({ secrets: ['swordfish-123', key] }))
    await session.call('stderr', { line: 'sword\u001b[1mfish\u0007-123 Bearer abc\u001b[0mdef123456 c2VjcmV0LWxpbmUtdHdv end' })
    expect(await gate.waitForStderr(' end')).toBe('[redacted] [redacted] [redacted] end')
  })

  it('stands there no more often than a log can bear, and what is left out is counted', async () => {
    const session = await openSession(await open())
    await session.call('stderr', { line: 'flood', count: 5000 })
    await session.end()
    await gate.waitForStderr('lines left out')
    expect(gate.stderr.length).toBeLessThan(400)
  })
})

describe('S13: users apart', () => {
  it.each(['legacy', 'modern', 'both'])('never share a child unless they are to (%s)', async (ERA) => {
    const origin = await open({ env: { ERA } })
    const users = ['alice', 'bob', 'carol']
    const pids = await Promise.all(users.map(async (user) => textOf(await readAnswer(callModern(origin, 'pid', {}, { user })))))
    expect(new Set(pids).size).toBe(3)
  })

  it('a stream of another user cannot be resumed', async () => {
    const origin = await open()
    const session = await openSession(origin)
    const events = readEvents(await session.post(createToolCall('progress', { count: 3, pause: 30 }, { progressToken: 1 })))
    const { id } = (await events.next()).value!
    const other = await openSession(origin, { user: 'mallory' })
    expect((await other.get({ headers: { 'last-event-id': id! } })).status).toBe(400)
    const foreign = await sendMcp(`${origin}/mcp`, {
      method: 'GET',
      user: 'mallory',
      session: session.id,
      accept: 'text/event-stream',
      headers: { 'last-event-id': id! },
    })
    expect(foreign.status).toBe(404)
    await events.return(undefined)
  })
})

describe('a flood of notifications', () => {
  it('is passed on whole, at the speed of the client', async () => {
    const session = await openSession(await open())
    const messages = await readMessages(await session.post(createToolCall('log', { count: 20_000, data: 'y'.repeat(100) })))
    expect(messages).toHaveLength(20_001)
  })

  it('that is not read is kept in part, and requests are answered all the same', async () => {
    const session = await openSession(await open())
    await session.post(createToolCall('log', { count: 20_000 }), { accept: 'application/json' }).then(readAnswer)
    expect(await session.call('echo', { text: 'on' })).toBe('on')
  })
})

describe('R25: 100 requests on a child that is killed', () => {
  it.each(['session', 'shared'] as const)('all get an error with their id, and the next is served (%s)', async (processPer) => {
    const origin = await open({ processPer })
    const session = await openSession(origin, { revision: '2025-06-18' })
    const pid = Number(await session.call('pid'))
    const hanging = Array.from({ length: 100 }, (_, i) => session.post(createToolCall('hang', {}, undefined, `h${i}`)))
    await waitUntil(() => gate.stderr.filter((line) => line.startsWith('hanging')).length >= 100, 'all are asked')
    process.kill(pid, 'SIGKILL')
    const answers = await Promise.all(hanging.map((response) => readAnswer(response)))
    expect(answers.map(({ id }) => id)).toEqual(hanging.map((_, i) => `h${i}`))
    expect(answers.every(({ error }) => error?.data?.error === 'upstream_ended')).toBe(true)
    const again = processPer === 'shared' ? session : await openSession(origin)
    expect(await again.call('echo', { text: 'again' })).toBe('again')
  })
})

describe('R27: many clients with equal ids through one child', () => {
  it('never get each other’s progress and answers', { timeout: isStress ? 900_000 : 60_000 }, async () => {
    const origin = await open({ processPer: 'shared', env: { ERA: 'both' } })
    const [clients, rounds, steps] = isStress ? [250, 40, 99] : [40, 25, 9]
    const sessions = await Promise.all(Array.from({ length: clients / 2 }, (_, i) => openSession(origin, { user: `u${i}` })))
    const ask = (message: string) => ({ name: 'progress', args: { count: steps, message }, meta: { progressToken: 1 } })
    const legacy = sessions.map((session) => (message: string) => {
      const { name, args, meta } = ask(message)
      return session.post(createToolCall(name, args, meta, 1))
    })
    const modern = Array.from({ length: clients / 2 }, (_, i) => (message: string) => {
      const { name, args, meta } = ask(message)
      return callModern(origin, name, args, { user: `u${i}`, id: 1, meta })
    })
    let delivered = 0
    let astray = 0
    const checkAll = async (post: (message: string) => Promise<Response>, index: number) => {
      for (let round = 0; round < rounds; round++) {
        const message = `${index}-${round}`
        const messages = await readMessages(await post(message))
        delivered += messages.length
        const isProgress = ({ params }: Message, at: number) =>
          params?.message === message && params.progress === at + 1 && params.progressToken === 1
        const isAnswer = (one: Message) => one.id === 1 && textOf(one) === message
        astray += messages.filter((one, at) => !(at === steps ? isAnswer(one) : isProgress(one, at))).length
      }
    }
    await Promise.all([...legacy, ...modern].map(checkAll))
    expect({ delivered, astray }).toEqual({ delivered: clients * rounds * (steps + 1), astray: 0 })
  })
})

describe('a server that answers server/discover with an error, or not at all', () => {
  it('is legacy, and is not asked again', async () => {
    const origin = await open()
    expect((await readAnswer(sendModern(origin, 'server/discover'))).result.supportedVersions).toContain('2025-11-25')
    expect((await readAnswer(sendModern(origin, 'tools/list', {}, { user: 'bob' }))).result.resultType).toBe('complete')
  })
})
