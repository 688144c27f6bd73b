import { createServer, type RequestListener } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import type { AdminAction } from '../src/admin/admin-action.ts'
import { startAdmin } from '../src/admin/admin-listener.ts'
import { createAdminClient } from '../src/cli/admin-client.ts'
import { UsageError } from '../src/cli/usage-error.ts'
import { loadConfigValue } from '../src/config/load.ts'
import { systemClock } from '../src/core/clock.ts'
import { ProxyError } from '../src/core/errors.ts'
import { closeServer, listenOnLoopback } from '../src/sandbox/listen.ts'
import { findFreePort } from './support/free-port.ts'

const TOKEN = 'operators-only-'.repeat(3)

const open: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of open.splice(0)) await close()
})

function createClient(admin: { port: number; host?: string; token?: string } | undefined, timeoutMs?: number) {
  const load = () =>
    loadConfigValue(
      {
        public_url: 'http://localhost:8080',
        issuers: ['https://idp.example.com'],
        servers: [{ path: '/mcp', upstream: 'http://localhost:9000/mcp' }],
        ...(admin && { admin: { ...admin, ...(admin.token && { token: { env: 'ADMIN_TOKEN' } }) } }),
      },
      { env: { ADMIN_TOKEN: admin?.token ?? '' }, directory: import.meta.dirname, terminal: false },
    )
  return createAdminClient({ name: 'config.yaml', file: undefined, ignoredFile: undefined, load }, timeoutMs)
}

async function startProxyWith(token: string | undefined): Promise<number> {
  const listener = await startAdmin({
    plan: { host: '127.0.0.1', port: 0, allowedHosts: [], token },
    pages: new Map(),
    actions: new Map<string, AdminAction>([
      ['/echo', (input) => ({ input })],
      [
        '/refuse',
        () => {
          throw new ProxyError('admin_input_invalid', { cause: 'red \u001b[31m text' })
        },
      ],
    ]),
    ...{ headersSeconds: 5, stalledSeconds: 5, clock: systemClock, onRefused: () => undefined, onAction: () => undefined },
  })
  open.push(() => listener.closeNow())
  return listener.port
}

async function startOther(handler: RequestListener): Promise<number> {
  const server = createServer(handler)
  open.push(() => closeServer(server))
  return listenOnLoopback(server, 0)
}

const failure = (client: { call(path: string, input: object): Promise<unknown> }, path = '/echo') =>
  client.call(path, {}).then(
    () => 'it succeeded',
    (error: Error) => error.message,
  )

describe('a command that asks the running proxy', () => {
  it('gets the answer of the action', async () => {
    const client = createClient({ port: await startProxyWith(TOKEN), token: TOKEN })
    expect(await client.call('/echo', { who: 'alice' })).toEqual({ input: { who: 'alice' } })
  })

  it('reaches a listener on all addresses', async () => {
    const client = createClient({ port: await startProxyWith(TOKEN), host: '0.0.0.0', token: TOKEN })
    expect(await client.call('/echo', {})).toEqual({ input: {} })
  })

  it.each([
    ['no admin listener', undefined, 'has no admin listener'],
    ['no token', { port: 9090 }, 'Add `token: { env: ADMIN_TOKEN }` to `admin`, set the variable, and restart the proxy.'],
    ['no known port', { port: 0, token: TOKEN }, 'has admin.port 0'],
  ])('says so where the configuration has %s', (_name, admin, message) => {
    expect(() => createClient(admin)).toThrow(UsageError)
    expect(() => createClient(admin)).toThrow(message)
  })

  it('says that nothing listens', async () => {
    const port = await findFreePort()
    expect(await failure(createClient({ port, token: TOKEN }))).toMatch(
      new RegExp(
        `^Nothing listens at 127\\.0\\.0\\.1:${port} .*If admin\\.host or admin\\.port was changed since its start, restart it\\.$`,
      ),
    )
  })

  it('tells another token, a proxy without one, a refusal and an older proxy apart', async () => {
    const other = createClient({ port: await startProxyWith('another-token-'.repeat(3)), token: TOKEN })
    expect(await failure(other)).toMatch(/has another admin.token/)
    const without = createClient({ port: await startProxyWith(undefined), token: TOKEN })
    expect(await failure(without)).toMatch(/runs without admin.token/)
    const client = createClient({ port: await startProxyWith(TOKEN), token: TOKEN })
    expect(await failure(client, '/refuse')).toBe('The proxy refused: red \\u{1b}[31m text.')
    expect(await failure(client, '/newer')).toMatch(/has version \d+\.\d+\.\d+.* and does not know this command/)
  })

  it('tells that something else answers there', async () => {
    const port = await startOther((_request, response) => response.end('hello'))
    expect(await failure(createClient({ port, token: TOKEN }))).toMatch(/is not this proxy \(status 200\)/)
    const silent = await startOther((_request, response) => response.socket?.destroy())
    expect(await failure(createClient({ port: silent, token: TOKEN }))).toMatch(/cannot be asked/)
  })

  it('waits for a bounded time, also for an answer that never ends', async () => {
    const port = await startOther((_request, response) => response.write('{'))
    expect(await failure(createClient({ port, token: TOKEN }, 50))).toMatch(/did not answer within 0.05 s/)
  })
})
