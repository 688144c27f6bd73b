// The doctor finds the authorization server of an MCP server with accounts of users, as the first user who connects one does.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { examine } from '../src/doctor/doctor.ts'
import { type DoctorStage, openDoctorStage, STAGE_ENV, serve, spoilMetadata } from './support/doctor-stage.ts'
import {
  describeServer,
  RESOURCE_METADATA,
  type ScriptedAccount,
  SERVER_METADATA,
  startScriptedAccount,
} from './support/scripted-account.ts'

let stage: DoctorStage
let saas: ScriptedAccount
beforeEach(async () => {
  ;[stage, saas] = await Promise.all([openDoctorStage(), startScriptedAccount()])
})
afterEach(() => Promise.all([stage.close(), saas.close()]))

const CLIENT = { client_id: 'p', client_secret: { env: 'SECRET' } }

async function findAccount(credential: object = {}, publicUrl = stage.front.origin) {
  const { issuer } = stage.issuer
  const provider = { issuer, client_id: 'proxy', client_secret: { env: 'SECRET' } }
  const config = stage.configure({
    public_url: publicUrl,
    issuers: undefined,
    identity_provider: provider,
    broker: { store: { kind: 'memory' } },
    servers: [{ ...serve(saas.url), name: 'saas', credential: { kind: 'own_account', ...credential } }],
  })
  const { findings } = await examine(stage.load(config), undefined, async () => new Map())
  expect(JSON.stringify(findings)).not.toContain(STAGE_ENV.SECRET)
  return findings.filter(({ id }) => id.startsWith('account'))
}

const describeWith = (more: object) => saas.script(SERVER_METADATA, () => describeServer(saas.origin, more))

describe('the doctor, of an MCP server with `credential: own_account`,', () => {
  it('says where users connect accounts, for which resource, and how the proxy is known there', async () => {
    describeWith({ authorization_response_iss_parameter_supported: true })
    const findings = await findAccount()
    expect(findings.map(({ id, verdict }) => [id, verdict])).toEqual([
      ['account', 'ok'],
      ['account_client', 'ok'],
    ])
    expect(findings[0]?.says).toContain(`at ${saas.origin}, for the resource ${saas.url}`)
    expect(findings[1]?.says).toContain('registers')
  })

  it('leaves nothing behind there: it registers no client', async () => {
    await findAccount()
    expect(saas.asked.map(({ path }) => path)).not.toContain('/register')
  })

  it('says that it would be known by its metadata document, and when that needs https', async () => {
    describeWith({ client_id_metadata_document_supported: true, registration_endpoint: undefined })
    const [, , client] = await findAccount({}, 'https://mcp.example.com')
    expect(client).toMatchObject({ id: 'account_client', verdict: 'ok', says: expect.stringContaining('metadata document') })
    const plain = (await findAccount()).find(({ id }) => id === 'account_client')
    expect(plain).toMatchObject({ verdict: 'problem', fix: expect.stringContaining('https') })
  })

  it('says which redirect URI a client of the configuration needs, and whether its authentication is known there', async () => {
    describeWith({ token_endpoint_auth_methods_supported: ['client_secret_basic'] })
    const own = { ...CLIENT, issuer: saas.origin }
    const fine = (await findAccount(own)).find(({ id }) => id === 'account_client')
    expect(fine).toMatchObject({ verdict: 'ok', says: expect.stringContaining(`${stage.front.origin}/connections/callback/`) })
    describeWith({ token_endpoint_auth_methods_supported: ['none'] })
    const wrong = (await findAccount(own)).find(({ id }) => id === 'account_client')
    expect(wrong).toMatchObject({ verdict: 'warning', fix: expect.stringContaining('client_authentication') })
  })

  it.each([
    ['knows no PKCE with S256', () => describeWith({ code_challenge_methods_supported: ['plain'] }), /S256/],
    ['is described by metadata of another issuer', () => describeWith({ issuer: 'https://other.example' }), /letter by letter/],
    ['has no metadata', () => saas.script(SERVER_METADATA, (_, response) => response.writeHead(404).end()), /RFC 8414/],
    ['has no token endpoint', () => describeWith({ token_endpoint: undefined }), /token_endpoint/],
    ['sends users to http', () => describeWith({ authorization_endpoint: 'http://1.2.3.4/a' }), /https/],
  ])('says what to do where its authorization server %s', async (_, spoil, fix) => {
    spoil()
    const findings = await findAccount()
    expect(findings).toEqual([expect.objectContaining({ id: 'account_server', verdict: 'problem' })])
    expect(findings[0]?.fix).toMatch(fix)
  })

  it.each([
    ['is about another resource', { resource: 'https://other.example/mcp' }, /`upstream`/],
    ['names no authorization server', { authorization_servers: [] }, /authorization_servers/],
  ])('says what to do where its own metadata %s', async (_, more, fix) => {
    saas.script(RESOURCE_METADATA, () => ({ resource: saas.url, authorization_servers: [saas.origin], ...more }))
    const findings = await findAccount()
    expect(findings).toEqual([expect.objectContaining({ id: 'account_resource', verdict: 'problem' })])
    expect(findings[0]?.fix).toMatch(fix)
  })

  it('says what to do where the configured issuer is not the one that it names', async () => {
    const [finding] = await findAccount({ issuer: 'https://other.example' })
    expect(finding).toMatchObject({
      id: 'account_resource',
      verdict: 'problem',
      fix: expect.stringContaining('credential.issuer'),
    })
  })

  it('says that it is refused where an endpoint of the identity provider is at its host, unless the configuration names it', async () => {
    spoilMetadata(stage.issuer, { token_endpoint: `${saas.origin}/login/token` })
    const findings = await findAccount()
    expect(findings).toEqual([expect.objectContaining({ id: 'account_server', verdict: 'problem' })])
    expect(findings[0]).toMatchObject({
      says: expect.stringContaining('which users trust for something else'),
      fix: `Write "${saas.origin}" as \`credential.issuer\` if the MCP server may have tokens of it.`,
    })
    expect((await findAccount({ issuer: saas.origin })).find(({ id }) => id === 'account')).toMatchObject({ verdict: 'ok' })
  })

  it('says that users cannot connect accounts while the identity provider does not answer: its endpoints are not known', async () => {
    await stage.issuer.setOutage('error')
    const findings = await findAccount()
    expect(findings).toEqual([expect.objectContaining({ id: 'account_server', verdict: 'problem' })])
    expect(findings[0]?.says).toContain('the endpoints of the identity provider are not known')
    expect(findings[0]?.fix).toContain('identity provider')
  })

  it('says that a metadata URL of the challenge cannot be had', async () => {
    const challenge = `Bearer resource_metadata="${saas.origin}/nothing"`
    saas.script('/mcp', (_, response) => response.writeHead(401, { 'www-authenticate': challenge }).end())
    const [finding] = await findAccount()
    expect(finding).toMatchObject({ id: 'account_resource', verdict: 'problem', says: expect.stringContaining('404') })
  })

  it('warns where it has no metadata, so that its own origin is taken for the authorization server', async () => {
    saas.script(RESOURCE_METADATA, (_, response) => response.writeHead(404).end())
    const findings = await findAccount()
    expect(findings.find(({ id }) => id === 'account_unnamed')).toMatchObject({
      verdict: 'warning',
      fix: expect.stringContaining('RFC 9728'),
    })
  })

  it('warns where it answers without a token: it may not need one', async () => {
    saas.script('/mcp', () => ({ jsonrpc: '2.0', id: 1, result: {} }))
    const findings = await findAccount()
    expect(findings.find(({ id }) => id === 'account_unasked')).toMatchObject({ verdict: 'warning' })
  })

  it('warns where the authorization server does not name itself and the configuration does not bind to it', async () => {
    const warned = (await findAccount()).find(({ id }) => id === 'account_mix_up')
    expect(warned).toMatchObject({ verdict: 'warning', fix: `Write \`credential.issuer: ${saas.origin}\`.` })
    expect((await findAccount({ issuer: saas.origin })).find(({ id }) => id === 'account_mix_up')).toBeUndefined()
  })

  it('warns of configured scopes that the authorization server does not list', async () => {
    describeWith({ scopes_supported: ['files'] })
    const findings = await findAccount({ scopes: ['files', 'admin'], issuer: saas.origin })
    const warned = findings.find(({ id }) => id === 'account_scopes')
    expect(warned).toMatchObject({ verdict: 'warning', says: expect.stringContaining('admin') })
  })
})
