import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { connect, createServer as createTcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { formatRoutes } from '../src/cli/route-table.ts'
import { DIRECT } from '../src/core/plan/egress-plan.ts'
import { examine } from '../src/doctor/doctor.ts'
import { createSafeFetch } from '../src/oauth/safe-fetch.ts'
import { closeServer } from '../src/sandbox/listen.ts'
import { createCertificate } from './support/certificate.ts'
import { type DoctorStage, openDoctorStage } from './support/doctor-stage.ts'
import { openRawConnection } from './support/raw-client.ts'
import { type Attempt, createCall, createServer, formatAttempt, type Stage, startStage } from './support/stage.ts'

const folder = mkdtempSync(join(tmpdir(), 'socket-'))
const place = (name: string) => join(folder, name)
const certificate = createCertificate()
const authority = place('authority.pem')
const servers: Server[] = []
afterEach(async () => void (await Promise.all(servers.splice(0).map(closeServer))))
afterAll(() => rmSync(folder, { recursive: true }))

async function listen(server: Server, socket: string): Promise<Server> {
  server.listen(socket)
  await once(server, 'listening')
  servers.push(server)
  return server
}
const serve = (answer: RequestListener, socket = place('mcp.sock')) => listen(createHttpServer(answer), socket)

const request = createCall('tools/call', { name: 'echo' })
const answer = '{"jsonrpc":"2.0","id":1,"result":{}}'
const answerCall: RequestListener = (incoming, response) => {
  incoming.resume().on('end', () => response.setHeader('content-type', 'application/json').end(answer))
}

describe('an MCP server on a Unix socket', () => {
  let stage: Stage
  beforeAll(async () => {
    writeFileSync(authority, certificate.cert)
    stage = await startStage({
      servers: (around) => {
        // A server listens on TCP at that address: it must get nothing.
        const upstream = { url: `${around.upstream}/up?key=k`, socket: place('mcp.sock') }
        const secure = { url: 'https://localhost/up', socket: place('tls.sock') }
        return [
          createServer(around, { upstream: { ...upstream, heartbeat_seconds: 1 } }),
          createServer(around, { path: '/lenient', upstream: { ...upstream, follow_slash_redirects: true } }),
          createServer(around, { path: '/secure', upstream: { ...secure, ca_file: authority } }),
          createServer(around, { path: '/unknown', upstream: secure }),
          { sse: { path: '/sse', upstream }, audience: ['https://mcp.example.com/mcp'] },
        ]
      },
    })
  })
  afterEach(() => expect(stage.upstream.connections).toEqual([]))
  afterAll(() => stage.close())

  async function open(attempt: Attempt) {
    const connection = await openRawConnection(stage.proxy.port)
    connection.write(formatAttempt(stage, attempt))
    return connection
  }
  async function send(attempt: Attempt) {
    const connection = await open(attempt)
    const { status, body } = await connection.readResponse()
    connection.destroy()
    return { status, body: body.toString() }
  }

  it('gets a call as it would over TCP, with the host of its URL', async () => {
    const seen: unknown[] = []
    await serve(async (incoming, response) => {
      seen.push([incoming.method, incoming.url, incoming.headers.host, await text(incoming)])
      response.setHeader('content-type', 'application/json').end(answer)
    })
    expect(await send({ body: request })).toEqual({ status: 200, body: answer })
    const { host } = new URL(stage.upstream.origin)
    expect(seen).toEqual([['POST', '/up?key=k', host, JSON.stringify(request)]])
  })

  it('streams, and a silent stream gets its heartbeats', async () => {
    await serve((_incoming, response) => response.setHeader('content-type', 'text/event-stream').write('data: {"a":1}\n\n'))
    const connection = await open({ method: 'GET' })
    await connection.waitFor('data: {"a":1}\n\n')
    await connection.waitFor(':\n\n')
    connection.destroy()
  })

  it('is asked again over its socket where it redirects for a slash', async () => {
    const seen: unknown[] = []
    await serve((incoming, response) => {
      seen.push(incoming.url)
      if (incoming.url?.startsWith('/up/')) return answerCall(incoming, response)
      response.writeHead(307, { location: `http://${incoming.headers.host}/up/?key=k` }).end()
    })
    expect(await send({ target: '/lenient', body: request })).toEqual({ status: 200, body: answer })
    expect(seen).toEqual(['/up?key=k', '/up/?key=k'])
    expect(await send({ body: request })).toMatchObject({ status: 502, body: expect.stringContaining('upstream_redirected') })
  })

  it('gets the messages of HTTP+SSE over the socket of its stream', async () => {
    const messages: unknown[] = []
    await serve(async (incoming, response) => {
      if (incoming.method === 'GET') {
        const endpoint = `http://${incoming.headers.host}/messages?session=1`
        return void response.setHeader('content-type', 'text/event-stream').write(`event: endpoint\ndata: ${endpoint}\n\n`)
      }
      messages.push([incoming.url, await text(incoming)])
      response.writeHead(202).end()
    })
    const stream = await open({ method: 'GET', target: '/sse' })
    await stream.waitFor('data: /messages')
    await stream.waitFor('\n\n')
    const target = /data: (\/messages\S*)/.exec(stream.received().toString())?.[1] ?? ''
    expect((await send({ target, body: request })).status).toBe(202)
    expect(messages).toEqual([['/messages?session=1', JSON.stringify(request)]])
    stream.destroy()
  })

  it('shows its certificate where its URL is https, and gets nothing before that is believed', async () => {
    let requests = 0
    const count: RequestListener = (incoming, response) => {
      requests += 1
      answerCall(incoming, response)
    }
    await listen(createHttpsServer(certificate, count) as unknown as Server, place('tls.sock'))
    expect(await send({ target: '/unknown', body: request })).toMatchObject({ status: 502 })
    expect(requests).toBe(0)
    expect(await send({ target: '/secure', body: request })).toEqual({ status: 200, body: answer })
  })

  it('is unreachable while nothing listens, the log names the socket, and it is back as soon as it listens', async () => {
    const missing = async () => {
      const { status, body } = await send({ body: request })
      expect({ status, body }).toEqual({ status: 502, body: expect.stringContaining('upstream_unreachable') })
      expect(body).not.toContain(folder)
    }
    const first = await serve(answerCall)
    expect((await send({ body: request })).status).toBe(200)
    await closeServer(first)
    expect(existsSync(place('mcp.sock'))).toBe(false)
    await missing()
    await stage.proxy.log.waitFor((line) => JSON.stringify(line).includes(`connect ENOENT ${place('mcp.sock')}`))
    await serve(answerCall)
    expect(await send({ body: request })).toEqual({ status: 200, body: answer })
  })
})

describe('the commands, for an MCP server on a Unix socket', () => {
  let stage: DoctorStage
  beforeAll(async () => {
    stage = await openDoctorStage()
  })
  afterAll(() => stage.close())

  /** Puts a socket before a server on TCP. */
  async function lead(socket: string, port: number): Promise<void> {
    const server = createTcpServer((near) => {
      const far = connect(port, '127.0.0.1')
      near.pipe(far).pipe(near)
      for (const end of [near, far]) end.on('error', () => undefined)
    })
    server.listen(socket)
    await once(server, 'listening')
    servers.push(Object.assign(server, { closeAllConnections: () => undefined }) as unknown as Server)
  }

  const plan = (path: string, kind: 'upstream' | 'sse') => {
    // Nobody listens on that port.
    const upstream = { url: `http://localhost:1${path}`, socket: place('doctor.sock') }
    return stage.load(stage.configure({ servers: [kind === 'sse' ? { sse: { upstream } } : { path: '/mcp', upstream }] }))
  }
  const diagnose = async (path: string, kind: 'upstream' | 'sse') => {
    const { findings } = await examine(plan(path, kind), undefined)
    return findings.filter(({ id }) => id.startsWith('upstream'))
  }

  it('the doctor asks over the socket', async () => {
    await lead(place('doctor.sock'), Number(new URL(stage.mcpServer.streamableHttpUrl).port))
    const address = (path: string) => `http://localhost:1${path} over ${place('doctor.sock')}`
    const says = (path: string) => expect.stringContaining(address(path))
    expect(await diagnose('/mcp', 'upstream')).toMatchObject([{ id: 'upstream', verdict: 'ok', says: says('/mcp') }])
    expect(await diagnose('/sse', 'sse')).toMatchObject([{ id: 'upstream', verdict: 'ok', says: says('/sse') }])
    expect(await diagnose('/sse', 'upstream')).toMatchObject([
      {
        id: 'upstream_is_sse',
        fix: expect.stringContaining(`sse: { upstream: { url: http://localhost:1/sse, socket: ${place('doctor.sock')} } }`),
      },
    ])
  })

  it('the doctor tells of a socket that is not there', async () => {
    expect(await diagnose('/mcp', 'upstream')).toMatchObject([
      {
        id: 'upstream_unreachable',
        verdict: 'problem',
        says: expect.stringContaining('ENOENT'),
        fix: expect.stringContaining('`socket`'),
      },
    ])
  })

  it('the doctor tells where its server redirects to, in the words of the configuration', async () => {
    await serve((_incoming, response) => response.writeHead(307, { location: '/mcp/' }).end(), place('doctor.sock'))
    const key = `upstream: { url: http://localhost:1/mcp/, socket: ${place('doctor.sock')} }`
    expect(await diagnose('/mcp', 'upstream')).toMatchObject([{ id: 'upstream_redirects', fix: expect.stringContaining(key) }])
  })

  it('the doctor takes the host of the URL for a mere name', async () => {
    await serve(answerCall, place('doctor.sock'))
    for (const origin of ['http://8.8.8.8', stage.front.origin]) {
      const upstream = { url: `${origin}/mcp`, socket: place('doctor.sock') }
      const config = stage.configure({ servers: [{ path: '/mcp', upstream }] })
      const { findings } = await examine(stage.load(config), undefined)
      const ids = findings.map(({ id }) => id).filter((id) => id.startsWith('upstream'))
      expect(ids).toEqual(['upstream_not_mcp'])
    }
  })

  it('what strangers name is not looked for on the socket', async () => {
    let connections = 0
    const server = await serve(answerCall, place('fetch.sock'))
    server.on('connection', () => (connections += 1))
    const plan = {
      issuer: 'https://8.8.8.8',
      allowPrivateNetwork: false,
      ca: undefined,
      egress: DIRECT,
      socket: place('fetch.sock'),
    }
    const outboundFetch = createSafeFetch(plan, (_host, _options, resolved) =>
      resolved(null, [{ address: '127.0.0.1', family: 4 }]),
    )
    const ask = (url: string, namedBy: 'operator' | 'metadata') => outboundFetch.fetchRaw(url, { method: 'GET', namedBy })
    expect(await ask('http://localhost/', 'operator')).toMatchObject({ status: 200 })
    await expect(ask('https://elsewhere.example.com/', 'metadata')).rejects.toThrow('not public')
    expect(connections).toBe(1)
    await outboundFetch.close()
  })

  it('the table of routes names the socket', () => {
    expect(formatRoutes(plan('/mcp?key=k', 'upstream')).lines.join()).toContain(
      `http://localhost:1/mcp over ${place('doctor.sock')}`,
    )
  })
})
