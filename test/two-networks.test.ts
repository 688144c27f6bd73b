// One issuer in two networks: clients and browsers reach it by another address than the proxy, as in Compose.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ConfigInput } from '../src/config/schema/schema.ts'
import { examine } from '../src/doctor/doctor.ts'
import type { Finding } from '../src/doctor/finding.ts'
import { callMcp } from './support/broker-client.ts'
import { type DoctorStage, openDoctorStage, spoilMetadata } from './support/doctor-stage.ts'

/** What clients know; from here it cannot be reached. */
const PUBLIC = 'https://sso.invalid'
const WELL_KNOWN = '/.well-known/oauth-authorization-server'

let stage: DoctorStage
beforeEach(async () => {
  stage = await openDoctorStage()
  spoilMetadata(stage.issuer, {
    issuer: PUBLIC,
    authorization_endpoint: `${PUBLIC}/authorize`,
    token_endpoint: `${PUBLIC}/token`,
    registration_endpoint: `${PUBLIC}/register`,
    jwks_uri: `${PUBLIC}/jwks`,
    introspection_endpoint: `${PUBLIC}/introspect`,
  })
})
afterEach(() => stage.close())

type Issuer = Exclude<NonNullable<ConfigInput['issuers']>[number], string>

const configure = (more: Partial<Issuer> = {}, path = WELL_KNOWN) =>
  stage.configure({ issuers: [{ issuer: PUBLIC, metadata_url: `${stage.issuer.issuer}${path}`, ...more }] })

const introspection: Issuer['introspection'] = { client_id: 'proxy', client_secret: { env: 'SECRET' } }
const aud = () => `${stage.front.origin}/mcp`
const mint = (claims: object = {}) => stage.issuer.mint({ claims: { iss: PUBLIC, aud: aud(), scope: 'mcp:tools', ...claims } })

describe('an issuer with a `metadata_url`', () => {
  it('has its keys at that address, and its tokens name the public one', async () => {
    await stage.run(configure())
    expect(await callMcp(aud(), await mint())).toBe(200)
    expect(await callMcp(aud(), await mint({ iss: stage.issuer.issuer }))).toBe(401)
    expect(stage.issuer.requests).toEqual([WELL_KNOWN, '/jwks'])
  })

  it('has its introspection there', async () => {
    const answer = { active: true, iss: PUBLIC, aud: aud(), sub: 'alice', scope: 'mcp:tools', token_type: 'Bearer' }
    stage.issuer.setIntrospection((form) => (form.get('token') === 'opaque' ? answer : { active: false }))
    await stage.run(configure({ introspection }))
    expect(await callMcp(aud(), 'opaque')).toBe(200)
    expect(await callMcp(aud(), 'another')).toBe(401)
  })

  it('is named to clients by its public address', async () => {
    await stage.run(configure())
    const metadata = await fetch(`${stage.front.origin}/.well-known/oauth-protected-resource/mcp`)
    expect(await metadata.json()).toMatchObject({ authorization_servers: [PUBLIC] })
  })

  it('lets no caller in where the document there is that of another issuer (RFC 8414 §3.3)', async () => {
    spoilMetadata(stage.issuer, { jwks_uri: `${PUBLIC}/jwks` })
    await stage.run(configure())
    expect(await callMcp(aud(), await mint())).toBe(503)
  })
})

describe('the doctor', () => {
  const diagnose = async (config: ConfigInput): Promise<Finding[]> => {
    const { findings } = await examine(stage.load(config), undefined)
    return findings.filter(({ about }) => about === `issuer ${PUBLIC}`)
  }
  const listProblems = (findings: readonly Finding[]) => findings.filter(({ verdict }) => verdict === 'problem')

  it('asks such an issuer there, for keys and introspection, too, and judges what clients are told', async () => {
    const findings = await diagnose(configure({ introspection }))
    expect(listProblems(findings)).toEqual([])
    expect(findings).toContainEqual(expect.objectContaining({ id: 'introspection', verdict: 'ok' }))
    expect(stage.issuer.requests).toContain('/jwks')
  })

  it('does not ask for members of OpenID Connect where `metadata_url` is that of RFC 8414', async () => {
    spoilMetadata(stage.issuer, { issuer: PUBLIC, jwks_uri: `${PUBLIC}/jwks`, subject_types_supported: undefined })
    expect(listProblems(await diagnose(configure()))).toEqual([])
  })

  it('asks for them where it is that of OpenID Connect, which clients read at the public address', async () => {
    await stage.close()
    stage = await openDoctorStage({ discovery: 'openid-appended' })
    spoilMetadata(stage.issuer, { issuer: PUBLIC, jwks_uri: `${PUBLIC}/jwks`, subject_types_supported: undefined })
    expect(listProblems(await diagnose(configure({}, '/.well-known/openid-configuration')))).toEqual([
      expect.objectContaining({ id: 'openid_members_missing' }),
    ])
  })

  it('names `introspection.endpoint` where the metadata has none (Ory Hydra)', async () => {
    spoilMetadata(stage.issuer, { issuer: PUBLIC, jwks_uri: `${PUBLIC}/jwks`, introspection_endpoint: undefined })
    expect(listProblems(await diagnose(configure({ introspection })))).toEqual([
      expect.objectContaining({ id: 'introspection_fails', fix: expect.stringContaining('introspection.endpoint') }),
    ])
  })

  it('names `metadata_url` where that leads to nothing', async () => {
    expect(listProblems(await diagnose(configure({}, '/elsewhere')))).toContainEqual(
      expect.objectContaining({ id: 'issuer_metadata_missing', fix: expect.stringContaining('metadata_url') }),
    )
  })
})
