// Each kind of credential that is asked of an authorization server for a call, at each of the servers that it asks: down, slow, refusing and
// answering nonsense. The call goes nowhere, the caller is told who has to act, and the next call is served.

import { createServer, type ServerResponse } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import { closeServer, listenOnLoopback } from '../src/sandbox/listen.ts'
import { createRequest, readAnswer, sendMcp } from './support/mcp-requests.ts'
import { startTestProxy, type TestProxy } from './support/proxy.ts'
import { startRecordingUpstream } from './support/recording-upstream.ts'
import { type AnswerTokens, issueToken, refuseToken, startTokenServer, type TokenServer } from './support/token-server.ts'
import { startIssuer } from './support/tokens.ts'

const open: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

const ASSERTION = {
  token_type: 'N_A',
  issued_token_type: 'urn:ietf:params:oauth:token-type:id-jag',
  expires_in: 300,
}

interface Stage {
  readonly proxy: TestProxy
  /** The authorization server that fails. */
  readonly failing: TokenServer
  readonly call: () => Promise<Response>
  /** What the MCP server has got. */
  readonly shown: () => readonly unknown[]
}

interface Kind {
  readonly credential: Record<string, unknown>
  /** Of two servers, the one that fails. */
  readonly fails?: 'provider'
}

const KINDS: Readonly<Record<string, Kind>> = {
  token_exchange: { credential: { kind: 'token_exchange' } },
  on_behalf_of: { credential: { kind: 'on_behalf_of', scopes: ['api://files/.default'] } },
  client_credentials: { credential: { kind: 'client_credentials', scopes: ['files'] } },
  'identity_assertion, at the identity provider': {
    credential: { kind: 'identity_assertion', subject_token_type: 'access_token' },
    fails: 'provider',
  },
  'identity_assertion, at the authorization server': {
    credential: { kind: 'identity_assertion', subject_token_type: 'access_token' },
  },
}

/** @param at - issuer in the place of the failing server */
async function start({ credential, fails }: Kind, at?: string): Promise<Stage> {
  const [issuer, server, provider, upstream] = await Promise.all([
    startIssuer(),
    startTokenServer(),
    startTokenServer(),
    startRecordingUpstream(),
  ])
  provider.answerWith(() => issueToken('the-assertion', ASSERTION))
  const client = { client_id: 'the-proxy', client_secret: { env: 'CLIENT_SECRET' } }
  const place = (name: 'server' | 'provider', { issuer: own }: TokenServer) => ((fails ?? 'server') === name ? (at ?? own) : own)
  const ofProvider = credential.kind === 'identity_assertion' && {
    identity_provider: { ...client, issuer: place('provider', provider) },
  }
  const proxy = await startTestProxy(
    {
      issuers: [issuer.issuer],
      servers: [
        {
          name: 'files',
          path: '/mcp',
          upstream: `${upstream.origin}/mcp`,
          credential: { ...client, issuer: place('server', server), ...credential, ...ofProvider } as never,
        },
      ],
    },
    { CLIENT_SECRET: 'secret-of-the-proxy-at-the-token-server' },
  )
  open.push(upstream.close, provider.close, server.close, issuer.close, () => proxy.close())
  const user = await issuer.mint({ claims: { aud: `${proxy.origin}/mcp`, sub: 'alice' } })
  return {
    proxy,
    failing: fails === 'provider' ? provider : server,
    call: () => sendMcp(`${proxy.origin}/mcp`, { user, body: createRequest('ping', {}, 7) }),
    shown: () => upstream.requests.map(({ headers }) => headers.authorization),
  }
}

const NONSENSE: Readonly<Record<string, AnswerTokens>> = {
  'a page': (_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Welcome</h1>'),
  'a list': (_, response) => response.writeHead(200, { 'content-type': 'application/json' }).end('[]'),
  'an object that reads two ways': (_, response) =>
    response
      .writeHead(200, { 'content-type': 'application/json' })
      .end('{"access_token":"a","access_token":"b","token_type":"Bearer"}'),
  'more than is read': (_, response) =>
    response.writeHead(200, { 'content-type': 'application/json' }).end(`{"access_token":"${'a'.repeat(600_000)}"}`),
  'half an answer': (_, response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': 100 }).write('{"access_')
    response.destroy()
    return response
  },
  'a redirect': (_, response) => response.writeHead(307, { location: 'https://elsewhere.example/token' }).end(),
  'status 500': (_, response) => response.writeHead(500).end(),
}

async function expectOutage({ call, shown, proxy, failing }: Stage): Promise<void> {
  const response = await call()
  expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5'])
  expect((await readAnswer(response)).error.data.error).toBe('upstream_token_unavailable')
  expect(shown()).toEqual([])
  expect(proxy.log.text()).not.toContain('secret-of-the-proxy')
  failing.answerWith(({ form }) =>
    issueToken('good', form.get('requested_token_type') === ASSERTION.issued_token_type ? ASSERTION : {}),
  )
}

describe.each(Object.entries(KINDS))('the credential %s', (_name, kind) => {
  it.each(Object.entries(NONSENSE))('is no reason to send the call without it: 503 where the answer is %s', async (_, answer) => {
    const stage = await start(kind)
    stage.failing.answerWith(answer)
    await expectOutage(stage)
    expect((await stage.call()).status).toBe(200)
    expect(stage.shown()).toHaveLength(1)
  })

  it('is no reason to send the call without it: 503 where nothing listens', async () => {
    const closed = await startTokenServer()
    await closed.close()
    await expectOutage(await start(kind, closed.issuer))
  })

  it('tells the operator where the client is unknown there: 502, which no sign-in would mend', async () => {
    const stage = await start(kind)
    stage.failing.answerWith((_, response) => refuseToken(response, 'invalid_client', {}, 401))
    const response = await stage.call()
    expect([response.status, response.headers.get('www-authenticate')]).toEqual([502, null])
    expect(stage.shown()).toEqual([])
  })

  it('forbids the call, without a challenge, where access is denied there', async () => {
    const stage = await start(kind)
    stage.failing.answerWith((_, response: ServerResponse) => refuseToken(response, 'access_denied'))
    const response = await stage.call()
    expect([response.status, response.headers.get('www-authenticate')]).toEqual([403, null])
    expect(stage.shown()).toEqual([])
  })
})

it('no call waits for ever for an authorization server that takes requests and never answers', async () => {
  const silent = createServer(() => {})
  const at = `http://127.0.0.1:${await listenOnLoopback(silent, 0)}`
  open.push(() => closeServer(silent))
  const hanging = await Promise.all(Object.values(KINDS).map((kind) => start(kind)))
  for (const { failing } of hanging) failing.answerWith(() => new Promise(() => {}))
  const mute = await Promise.all(Object.values(KINDS).map((kind) => start(kind, at)))
  await Promise.all([...hanging, ...mute].map(expectOutage))
})
