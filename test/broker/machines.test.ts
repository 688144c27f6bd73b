// Grants for machines, each from a real client to a real tool call.
import {
  Client,
  ClientCredentialsProvider,
  CrossAppAccessProvider,
  type OAuthClientProvider,
  PrivateKeyJwtProvider,
  StreamableHTTPClientTransport,
} from '@modelcontextprotocol/client'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import * as oauth from 'oauth4webapi'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import { callMcp, createRawClient, obtainTokens, postForm, readJson } from '../support/broker-client.ts'
import {
  ACCESS_TOKEN_TYPE,
  JWT_BEARER,
  MACHINE_SECRETS,
  type MachineStage,
  startMachineStage,
  TOKEN_EXCHANGE,
} from '../support/machine-stage.ts'

const [alice] = SAMPLE_USERS

let stage: MachineStage
let origin: string
beforeAll(async () => {
  stage = await startMachineStage()
  origin = stage.proxy.origin
})
afterAll(() => stage?.close())

const secretOf = (client: string) => MACHINE_SECRETS[client] ?? ''

async function callEcho(url: string, authProvider: OAuthClientProvider): Promise<string> {
  const client = new Client({ name: 'machine', version: '1.0.0' })
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { authProvider }))
  try {
    const { content } = await client.callTool({ name: 'echo', arguments: { message: 'from a machine' } })
    return JSON.stringify(content)
  } finally {
    await client.close()
  }
}

describe('the official client', () => {
  it('calls a tool with client credentials and a secret (RFC 6749 §4.4)', async () => {
    const provider = new ClientCredentialsProvider({ clientId: 'job', clientSecret: secretOf('job'), expectedIssuer: origin })
    expect(await callEcho(stage.url, provider)).toContain('from a machine')
    const claims = decodeJwt(provider.tokens()?.access_token ?? '')
    expect(claims).toMatchObject({ iss: origin, sub: 'job', client_id: 'job', aud: stage.url, scope: 'mcp:tools' })
    expect(provider.tokens()?.refresh_token).toBeUndefined()
  })

  it('calls a tool with client credentials and a signed assertion (RFC 7523 §2.2)', async () => {
    const provider = new PrivateKeyJwtProvider({
      clientId: 'signer',
      privateKey: stage.signerKey,
      algorithm: 'ES256',
      expectedIssuer: origin,
    })
    expect(await callEcho(stage.url, provider)).toContain('from a machine')
  })

  it('calls a tool with an identity assertion (enterprise-managed authorization)', async () => {
    const provider = new CrossAppAccessProvider({
      clientId: 'agent',
      clientSecret: secretOf('agent'),
      expectedIssuer: origin,
      assertion: ({ authorizationServerUrl, resourceUrl }) =>
        stage.mintAssertion({ aud: new URL(authorizationServerUrl).origin, resource: resourceUrl, scope: 'mcp:tools' }),
    })
    expect(await callEcho(stage.url, provider)).toContain('from a machine')
    expect(decodeJwt(provider.tokens()?.access_token ?? '')).toMatchObject({
      sub: `${stage.assertionIssuer.issuer}|alice`,
      client_id: 'agent',
      aud: stage.url,
    })
  })
})

describe('oauth4webapi', () => {
  const request = { [oauth.allowInsecureRequests]: true }
  async function discover(): Promise<oauth.AuthorizationServer> {
    const issuer = new URL(origin)
    return oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { ...request, algorithm: 'oauth2' }))
  }

  it('exchanges a token of a configured issuer for one that is bound to one server (RFC 8693 §2)', async () => {
    const server = await discover()
    const subjectToken = await stage.tokenIssuer.mint({ claims: { aud: origin, scope: 'mcp:tools mcp:admin' } })
    const client = { client_id: 'gateway' }
    const parameters = {
      subject_token: subjectToken,
      subject_token_type: ACCESS_TOKEN_TYPE,
      resource: stage.url,
      scope: 'mcp:tools',
    }
    const response = await oauth.genericTokenEndpointRequest(
      server,
      client,
      oauth.ClientSecretPost(secretOf('gateway')),
      TOKEN_EXCHANGE,
      parameters,
      request,
    )
    const answer = await oauth.processGenericTokenEndpointResponse(server, client, response)
    expect(answer).toMatchObject({ issued_token_type: ACCESS_TOKEN_TYPE, token_type: 'bearer', scope: 'mcp:tools' })
    expect(answer.refresh_token).toBeUndefined()
    expect(decodeProtectedHeader(answer.access_token)).toMatchObject({ typ: 'at+jwt', alg: 'ES256' })
    expect(decodeJwt(answer.access_token)).toMatchObject({
      sub: `${stage.tokenIssuer.issuer}|alice`,
      aud: stage.url,
      act: { sub: 'gateway' },
    })
    expect(await callMcp(stage.url, answer.access_token)).toBe(200)
    expect(await callMcp(`${origin}/other`, answer.access_token)).toBe(401)
  })

  it('gets client credentials with keys that the client publishes, where the configuration says (RFC 7523 §2.2)', async () => {
    const server = await discover()
    const client = { client_id: 'published' }
    const { privateKey, kid } = stage.tokenIssuer.signingKey
    const how = oauth.PrivateKeyJwt({ key: privateKey, kid })
    const response = await oauth.clientCredentialsGrantRequest(server, client, how, { resource: stage.url }, request)
    const { access_token: token } = await oauth.processClientCredentialsResponse(server, client, response)
    expect(await callMcp(stage.url, token)).toBe(200)
  })

  it('gets client credentials with a secret in the body, and revokes the token (RFC 7009)', async () => {
    const server = await discover()
    const client = { client_id: 'job' }
    const how = oauth.ClientSecretPost(secretOf('job'))
    const response = await oauth.clientCredentialsGrantRequest(server, client, how, { resource: stage.url }, request)
    const { access_token: token } = await oauth.processClientCredentialsResponse(server, client, response)
    expect(await callMcp(stage.url, token)).toBe(200)
    await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, how, token, request))
    expect(await callMcp(stage.url, token)).toBe(401)
  })
})

describe('what the broker says of itself', () => {
  it('lists the grants of the configuration, and the profile of identity assertions', async () => {
    const metadata = await readJson(await fetch(`${origin}/.well-known/oauth-authorization-server`))
    expect(metadata.grant_types_supported.toSorted()).toEqual(
      ['authorization_code', 'client_credentials', 'refresh_token', JWT_BEARER, TOKEN_EXCHANGE].toSorted(),
    )
    expect(metadata.authorization_grant_profiles_supported).toEqual(['urn:ietf:params:oauth:grant-profile:id-jag'])
    expect(metadata.token_endpoint_auth_methods_supported).toEqual(
      expect.arrayContaining(['private_key_jwt', 'client_secret_basic', 'client_secret_post', 'none']),
    )
    expect(metadata.token_endpoint_auth_signing_alg_values_supported).toContain('ES256')
  })
})

describe('a token of a user here', () => {
  it('is exchanged for one of the other server, for the same user, and ends with what the user was given', async () => {
    const client = await createRawClient(origin)
    const first = await obtainTokens(origin, client, alice)
    const form = { grant_type: TOKEN_EXCHANGE, subject_token: first.access_token, subject_token_type: ACCESS_TOKEN_TYPE }
    const second = await readJson(await stage.request({ ...form, resource: `${origin}/other` }, 'gateway'))
    expect(decodeJwt(second.access_token)).toMatchObject({
      sub: decodeJwt(first.access_token).sub,
      aud: `${origin}/other`,
      scope: 'mcp:tools',
      act: { sub: 'gateway' },
    })
    expect(second.expires_in).toBeLessThanOrEqual(first.expires_in)
    const again = { ...form, subject_token: second.access_token }
    const third = await readJson(await stage.request({ ...again, resource: stage.url }, 'gateway'))
    expect(decodeJwt(third.access_token).act).toEqual({ sub: 'gateway', act: { sub: 'gateway' } })
    expect(await callMcp(`${origin}/other`, second.access_token)).toBe(200)
    await postForm(`${origin}/revoke`, { token: first.refresh_token, client_id: client.id })
    expect(await callMcp(`${origin}/other`, second.access_token)).toBe(401)
    expect(await callMcp(stage.url, third.access_token)).toBe(401)
  })
})
