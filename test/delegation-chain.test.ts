// The MCP server behind the proxy is one that demands tokens of its own authorization server: another proxy, whose clients are machines.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MACHINE_SECRETS, type MachineStage, startMachineStage } from './support/machine-stage.ts'
import { startTestProxy } from './support/proxy.ts'
import { issueToken, startTokenServer } from './support/token-server.ts'
import { startIssuer, type TestIssuer } from './support/tokens.ts'

let stage: MachineStage
let issuer: TestIssuer
const open: (() => Promise<unknown>)[] = []
beforeAll(async () => {
  stage = await startMachineStage()
  issuer = await startIssuer()
})
afterAll(async () => {
  for (const close of open.splice(0).reverse()) await close()
  await Promise.all([stage?.close(), issuer?.close()])
})

/** Calls a tool of the protected MCP server through a proxy with this credential. */
async function callEcho(credential: Record<string, unknown>, clientId: string, env: Record<string, string> = {}) {
  const common = { issuer: stage.proxy.origin, client_id: clientId, client_secret: { env: 'CLIENT_SECRET' } }
  const proxy = await startTestProxy(
    {
      issuers: [issuer.issuer],
      servers: [{ path: '/mcp', upstream: stage.url, credential: { ...common, ...credential } as never }],
    },
    { CLIENT_SECRET: MACHINE_SECRETS[clientId] ?? '', ...env },
  )
  open.push(() => proxy.close())
  open.push(async () =>
    console.log(
      proxy.log
        .text()
        .match(/.*cause.*/g)
        ?.join('\n'),
    ),
  )
  const user = await issuer.mint({ claims: { aud: `${proxy.origin}/mcp`, sub: 'alice' } })
  const client = new Client({ name: 'caller', version: '1.0.0' })
  const requestInit = { headers: { authorization: `Bearer ${user}` } }
  await client.connect(new StreamableHTTPClientTransport(new URL(`${proxy.origin}/mcp`), { requestInit }))
  const { content } = await client.callTool({ name: 'echo', arguments: { message: 'through two proxies' } })
  await client.close()
  return JSON.stringify(content)
}

/** What the second proxy saw of its last caller. */
const lastCaller = () =>
  stage.proxy.log
    .records()
    .filter(({ server, operations }) => server !== undefined && operations !== undefined)
    .at(-1)

describe('a proxy that is the client of another authorization server', () => {
  it('calls for itself with client credentials', async () => {
    expect(await callEcho({ kind: 'client_credentials', resource: [stage.url] }, 'job')).toContain('through two proxies')
    expect(lastCaller()).toMatchObject({ client_id: 'job', decision: 'permit' })
  })

  it('calls for its user with an identity assertion, which it exchanges for what it has', async () => {
    const provider = await startTokenServer()
    open.push(provider.close)
    provider.answerWith(async ({ form }) => {
      const { sub } = decodeJwt(form.get('subject_token') ?? '')
      const { audience: aud, resource, scope } = Object.fromEntries(form)
      const assertion = await stage.mintAssertion({ sub, aud, resource, scope, client_id: 'agent' })
      const issued = 'urn:ietf:params:oauth:token-type:id-jag'
      return issueToken(assertion, { token_type: 'N_A', issued_token_type: issued, expires_in: 300 })
    })
    const credential = {
      kind: 'identity_assertion',
      subject_token_type: 'access_token',
      scopes: ['mcp:tools'],
      identity_provider: { issuer: provider.issuer, client_id: 'p', client_secret: { env: 'PROVIDER_SECRET' } },
    }
    const answer = await callEcho(credential, 'agent', { PROVIDER_SECRET: 'secret-of-the-proxy-at-the-provider' })
    expect(answer).toContain('through two proxies')
    expect(lastCaller()).toMatchObject({ subject: `${stage.assertionIssuer.issuer}|alice`, client_id: 'agent' })
  })
})
