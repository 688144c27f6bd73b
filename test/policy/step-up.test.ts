import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createOAuthClient, type OAuthClient } from '../../demo/oauth-client.ts'
import { type AuthorizationServer, startAuthorizationServer } from '../../src/sandbox/authorization-server.ts'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import { type EverythingServer, startEverythingServer } from '../support/everything-server.ts'
import { startTestProxy, type TestProxy } from '../support/proxy.ts'
import { connectSdkClient, type Generation, type SdkClient } from '../support/sdk-clients.ts'

/** The second of the users may grant `mcp:admin`. */
const [, bob] = SAMPLE_USERS

let authorizationServer: AuthorizationServer
let everything: EverythingServer
let proxy: TestProxy

beforeAll(async () => {
  ;[authorizationServer, everything] = await Promise.all([startAuthorizationServer({}), startEverythingServer('streamableHttp')])
  proxy = await startTestProxy({
    issuers: [authorizationServer.issuer],
    servers: [
      {
        path: '/mcp',
        upstream: everything.url,
        scopes: ['mcp:tools'],
        access: [
          { everyone: true, tools: ['echo', 'get-sum'] },
          { groups: ['nobody'], tools: ['get-env'] },
        ],
        rules: [
          { tool: 'get-sum', scopes: ['mcp:admin'] },
          { tool: 'get-sum', require: 'args.a < 100', reason: 'Small numbers only.' },
          { tool: 'echo', require: "args.message != 'forbidden'", reason: 'Not that word.' },
        ],
      },
    ],
  })
  authorizationServer.addResource(`${proxy.origin}/mcp`)
})
afterAll(async () => {
  await proxy?.close()
  await Promise.all([authorizationServer?.close(), everything?.close()])
})

const generations: readonly Generation[] = ['v1', 'v2 legacy', 'v2 auto']

describe.each(generations)('the %s client under access and rules', (generation) => {
  const connect = async (): Promise<{ client: SdkClient; oauth: OAuthClient }> => {
    const oauth = createOAuthClient({ name: 'Test client', redirectUri: 'http://localhost:50123/callback' })
    // The first generation would rather use its refresh token than ask for more.
    if (generation === 'v1') oauth.clientMetadata.grant_types = ['authorization_code']
    const url = `${proxy.origin}/mcp`
    return { client: await connectSdkClient({ generation, transport: 'streamable', url, oauth, user: bob }), oauth }
  }
  const countRefusals = (tool: string, since: number): number =>
    proxy.log
      .records()
      .slice(since)
      .filter(({ decision }) => decision === 'deny')
      .filter(({ operations }) => Array.isArray(operations) && operations.includes(`tools/call ${tool}`)).length

  it('sees what only lacks scopes, and steps up to use it', async () => {
    const { client, oauth } = await connect()
    expect(await client.listTools()).toEqual(['echo', 'get-sum'])
    expect(oauth.tokens()?.scope).toBe('mcp:tools')
    expect(await client.callTool('get-sum', { a: 1, b: 2 })).toBe('The sum of 1 and 2 is 3.')
    expect(oauth.tokens()?.scope?.split(' ').sort()).toEqual(['mcp:admin', 'mcp:tools'])
    expect(await client.listTools()).toEqual(['echo', 'get-sum'])
    await client.close()
  })

  it.each<readonly [what: string, tool: string, args: Record<string, unknown>]>([
    ['of a require that does not hold', 'echo', { message: 'forbidden' }],
    ['of a require that does not hold, where scopes are missing, too', 'get-sum', { a: 1000, b: 1 }],
    ['of a hidden tool', 'get-env', {}],
    ['of a tool that does not exist', 'no-such-tool', {}],
  ])('gives up at once at the refusal %s, without signing in anew', async (_what, tool, args) => {
    const { client, oauth } = await connect()
    const token = oauth.tokens()?.access_token
    const since = proxy.log.records().length
    await expect(client.callTool(tool, args)).rejects.toThrow()
    expect(oauth.waitingFor()).toBeUndefined()
    expect(oauth.tokens()?.access_token).toBe(token)
    expect(await client.callTool('echo', { message: 'x' })).toBe('Echo: x')
    expect(countRefusals(tool, since)).toBe(1)
    await client.close()
  })
})
