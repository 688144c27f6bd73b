import { afterEach, describe, expect, it } from 'vitest'
import { ADMIN, EVERY_SCOPE, type Step } from '../../test/support/asgardeo/state.ts'
import {
  API,
  CALLBACK,
  type RegistrarStage,
  type RegistrarStageOptions,
  startRegistrarStage,
} from '../../test/support/asgardeo-registrar.ts'
import { createCertificate } from '../../test/support/certificate.ts'
import { createFakeClock } from '../../test/support/fake-clock.ts'

let stage: RegistrarStage | undefined
afterEach(async () => {
  await stage?.close()
  stage = undefined
})

async function start(options?: RegistrarStageOptions): Promise<RegistrarStage> {
  stage = await startRegistrarStage(options)
  return stage
}

const without = (...scopes: string[]) => EVERY_SCOPE.filter((scope) => !scopes.includes(scope))
const listSteps = ({ asgardeo }: RegistrarStage) => asgardeo.asked.map(({ step }) => step)

describe('the application of the proxy', () => {
  it('is created with our callback alone, PKCE and an unguessable secret', async () => {
    const { asgardeo, registrar } = await start()
    const client = await registrar.findOrCreate('proxy_mcp.example.com')
    const [application] = asgardeo.applications.values()
    expect(application).toMatchObject({
      name: 'proxy_mcp.example.com',
      oidc: {
        clientId: client.clientId,
        clientSecret: client.clientSecret,
        callbackURLs: [CALLBACK],
        grantTypes: ['authorization_code', 'refresh_token'],
        pkce: { mandatory: true, supportPlainTransformAlgorithm: false },
        publicClient: false,
      },
    })
    expect(application?.oidc).not.toHaveProperty('accessToken.bindingType')
    expect(client.clientSecret).toMatch(/^[\w-]{43}$/)
  })

  it('asks for the admin token as the interface has it, and once for all calls', async () => {
    const { asgardeo, registrar } = await start()
    await registrar.findOrCreate('proxy')
    const [asked, ...more] = asgardeo.asked.filter(({ step }) => step === 'token')
    expect(asked?.authorization).toBe(`Basic ${Buffer.from(`${ADMIN.clientId}:${ADMIN.clientSecret}`).toString('base64')}`)
    expect(new URLSearchParams(asked?.body).get('grant_type')).toBe('client_credentials')
    expect(more).toEqual([])
  })

  it('is found again with the credentials that it has', async () => {
    const { asgardeo, registrar, createRegistrar } = await start()
    const first = await registrar.findOrCreate('proxy')
    expect(await createRegistrar().findOrCreate('proxy')).toEqual(first)
    expect(asgardeo.applications.size).toBe(1)
  })

  it('is one, however many processes start at once', async () => {
    const { asgardeo, createRegistrar } = await start()
    const clients = await Promise.all(Array.from({ length: 8 }, () => createRegistrar().findOrCreate('proxy')))
    expect(new Set(clients.map(({ clientId, clientSecret }) => `${clientId} ${clientSecret}`)).size).toBe(1)
    expect(asgardeo.applications.size).toBe(1)
  })

  it('gets a new secret where the one that it has is not shown', async () => {
    const { asgardeo, registrar, createRegistrar } = await start({ showsSecrets: false })
    const first = await registrar.findOrCreate('proxy')
    const second = await createRegistrar().findOrCreate('proxy')
    expect(second.clientId).toBe(first.clientId)
    const [application] = asgardeo.applications.values()
    expect(application?.oidc?.clientSecret).toBe(second.clientSecret)
  })

  it('keeps the callbacks that it has when another proxy comes, each meaning itself alone', async () => {
    const { asgardeo, registrar, createRegistrar } = await start()
    await registrar.findOrCreate('proxy')
    const other = 'http://localhost:8080/oauth/callback'
    await createRegistrar({ callbackUrl: other }).findOrCreate('proxy')
    const [application] = asgardeo.applications.values()
    expect(application?.oidc?.callbackURLs).toEqual([
      String.raw`regexp=(https://mcp\.example\.com/oauth/callback|http://localhost:8080/oauth/callback)`,
    ])
    // And a third start of the first one finds itself in there.
    await createRegistrar().findOrCreate('proxy')
    expect(listSteps(stage as RegistrarStage).filter((step) => step === 'update')).toHaveLength(1)
  })

  it.each([
    [
      'of a person',
      {
        clientId: 'x',
        clientSecret: 'y',
        callbackURLs: ['https://other.example/cb'],
        grantTypes: ['authorization_code'],
        accessToken: { type: 'JWT' as const },
      },
    ],
    [
      'whose callbacks are a pattern',
      {
        clientId: 'x',
        clientSecret: 'y',
        callbackURLs: ['regexp=(https://.*)'],
        grantTypes: ['authorization_code'],
        accessToken: { type: 'JWT' as const },
      },
    ],
    ['without OpenID Connect', undefined],
  ])('is not made of an application %s that has the name', async (_, oidc) => {
    const { asgardeo, registrar } = await start()
    const before = { id: 'theirs', name: 'Proxy', description: '', oidc, authorized: new Map() }
    asgardeo.addApplication(before)
    asgardeo.addApplication({ ...before, id: 'other', name: 'proxy' })
    await expect(registrar.findOrCreate('proxy')).rejects.toThrow(/"proxy" already that is not ours.*application_name/)
    expect(asgardeo.applications.get('other')).toMatchObject({ oidc })
    expect(asgardeo.applications.size).toBe(2)
  })

  it('has the scopes of the API resource, also when it is found again', async () => {
    const { asgardeo, registrar, createRegistrar } = await start({ authorizes: true })
    await registrar.findOrCreate('proxy')
    await createRegistrar().findOrCreate('proxy')
    const [application] = asgardeo.applications.values()
    expect([...(application?.authorized.values() ?? [])]).toEqual([API.scopes])
  })

  it('needs no more than permission to create applications', async () => {
    const { asgardeo, registrar } = await start({ adminScopes: ['internal_application_mgt_create'] })
    const client = await registrar.findOrCreate('proxy')
    expect([...asgardeo.applications.values()][0]?.oidc?.clientSecret).toBe(client.clientSecret)
  })

  it('says what is missing when it is there and may not be looked at', async () => {
    const { registrar, createRegistrar } = await start({ adminScopes: ['internal_application_mgt_create'] })
    await registrar.findOrCreate('proxy')
    await expect(createRegistrar().findOrCreate('proxy')).rejects.toThrow(/internal_application_mgt_view.*application_name/)
  })

  it('is an application of WSO2 Identity Server too, with and without a tenant', async () => {
    const { asgardeo, registrar } = await start({ organization: undefined })
    await registrar.findOrCreate('proxy')
    expect(asgardeo.base).toBe(asgardeo.origin)
    expect(asgardeo.applications.size).toBe(1)
  })
})

describe('the admin token', () => {
  it('is renewed once when it is refused', async () => {
    const { asgardeo, registrar } = await start()
    await registrar.findOrCreate('one')
    asgardeo.revokeAdminTokens()
    await registrar.findOrCreate('two')
    expect(asgardeo.applications.size).toBe(2)
    expect(asgardeo.asked.filter(({ step }) => step === 'token')).toHaveLength(2)
  })

  it('is not renewed for ever: a second refusal is the answer', async () => {
    const { asgardeo, registrar } = await start()
    asgardeo.fail('create', { status: 401 })
    await expect(registrar.findOrCreate('one')).rejects.toThrow(/with 401: authorize.*internal_application_mgt_create/)
    expect(listSteps(stage as RegistrarStage)).toEqual(['token', 'create', 'token', 'create'])
  })

  it('is asked for anew before it ends', async () => {
    const clock = createFakeClock()
    const { asgardeo, registrar } = await start({ clock })
    await registrar.findOrCreate('one')
    clock.advance(3600_000 - 30_000)
    await registrar.findOrCreate('two')
    expect(asgardeo.asked.filter(({ step }) => step === 'token')).toHaveLength(2)
  })

  it.each([
    [400, { error: 'unauthorized_client' }, /refuses the credentials of `identity_provider.admin` \(400 "unauthorized_client"\)/],
    [401, undefined, /refuses the credentials of `identity_provider.admin` \(401\)/],
    [500, '<h1>Oops</h1>', /admin token with 500/],
    [200, { access_token: 'two\nlines', token_type: 'Bearer' }, /with none/],
    [200, { access_token: 'x', token_type: 'mac' }, /with none/],
    [200, '[]', /with none/],
    [302, undefined, /admin token with 302/],
    ['cut' as const, undefined, /cannot be asked for an admin token/],
  ])('that is answered with %s %j is an error that says so', async (status, body, message) => {
    const { asgardeo, registrar } = await start()
    asgardeo.fail('token', { status, ...(body !== undefined && { body }) })
    const error = await registrar.findOrCreate('one').catch((cause: Error) => cause)
    expect(String(error)).toMatch(message)
    expect(String(error)).not.toContain(ADMIN.clientSecret)
  })

  it('is not asked for with wrong credentials by another way', async () => {
    const { asgardeo, createRegistrar, issues } = await start()
    await expect(createRegistrar({ secret: 'wrong' }).register('one')).rejects.toThrow(/identity_provider.admin/)
    expect(asgardeo.asked).toHaveLength(1)
    expect(issues).toEqual([])
  })
})

describe('TLS', () => {
  it('is verified: by the authorities of the configuration, and no other', async () => {
    const certificate = createCertificate()
    const { registrar, createRegistrar, asgardeo } = await start({ tls: certificate, ca: certificate.cert })
    await expect(createRegistrar({ ca: createCertificate().cert }).findOrCreate('proxy')).rejects.toThrow(/cannot be asked/)
    expect(asgardeo.asked).toEqual([])
    expect(await registrar.findOrCreate('proxy')).toMatchObject({ madeBy: 'management' })
  })
})

describe('an application of a client', () => {
  it('is registered through dynamic client registration first', async () => {
    const { asgardeo, registrar } = await start()
    const client = await registrar.register('proxy_claude_1')
    expect(listSteps(stage as RegistrarStage)).toEqual(['token', 'dcr'])
    expect(JSON.parse(asgardeo.asked[1]?.body ?? '')).toEqual({
      client_name: 'proxy_claude_1',
      redirect_uris: [CALLBACK],
      grant_types: ['authorization_code', 'refresh_token'],
    })
    expect(client).toMatchObject({ madeBy: 'registration' })
    await registrar.remove(client)
    expect(asgardeo.applications.size).toBe(0)
  })

  it.each([
    [401, undefined],
    [403, undefined],
    [404, undefined],
    [501, undefined],
    [400, { error: 'invalid_client_metadata', error_description: 'Application with the name x already exist in the system' }],
    [409, { error: 'conflict', error_description: 'x' }],
    [500, { error: 'server_error', error_description: 'Error' }],
    ['cut' as const, undefined],
  ])('is made through the management interface where registration answers %s', async (status, body) => {
    const { asgardeo, registrar, issues } = await start()
    asgardeo.fail('dcr', { status, ...(body !== undefined && { body }) })
    const client = await registrar.register('proxy_claude_1')
    expect(client).toMatchObject({ madeBy: 'management' })
    expect(issues).toEqual([expect.stringContaining('the management interface is used instead')])
    expect(asgardeo.applications.size).toBe(1)
    await registrar.remove(client)
    expect(asgardeo.applications.size).toBe(0)
  })

  it('has the scopes of the API resource, whichever way it was made', async () => {
    const { asgardeo, registrar } = await start({ authorizes: true })
    await registrar.register('one')
    asgardeo.fail('dcr', { status: 403 })
    await registrar.register('two')
    const scopes = [...asgardeo.applications.values()].map(({ authorized }) => [...authorized.values()])
    expect(scopes).toEqual([[API.scopes], [API.scopes]])
  })

  it('of which no more is known than its id is deleted when the answer lacks the secret', async () => {
    const { asgardeo, registrar } = await start()
    const fail = { status: 201, body: { client_id: 'half' } }
    asgardeo.addApplication({
      id: 'half',
      name: 'half',
      description: '',
      oidc: { clientId: 'half', clientSecret: 's', callbackURLs: [], grantTypes: [], accessToken: { type: 'JWT' } },
      authorized: new Map(),
    })
    asgardeo.fail('dcr', fail)
    await registrar.register('one')
    expect([...asgardeo.applications.values()].map(({ name }) => name)).toEqual(['one'])
  })
})

describe('whatever fails, nothing is left behind', () => {
  const steps: [Step, boolean][] = [
    ['create', false],
    ['create', true],
    ['resources', false],
    ['authorize-api', false],
    ['authorize-api', true],
    ['read', false],
  ]
  const statuses = [400, 403, 404, 500, 'cut'] as const
  const cases = steps
    .flatMap(([step, happens]) => statuses.map((status) => [step, status, happens] as const))
    // Who refuses to create something and creates it cannot be seen through; what may not be read back need not be.
    .filter(([step, status, happens]) => !(step === 'create' && happens && status !== 500 && status !== 'cut'))
    .filter(([step, status]) => step !== 'read' || status !== 403)

  it.each(cases)('%s answers %s (and happens: %s)', async (step, status, happens) => {
    const { asgardeo, registrar, issues } = await start({ authorizes: true })
    asgardeo.fail(step, { status, happens })
    await expect(registrar.findOrCreate('proxy')).rejects.toThrow(/Asgardeo/)
    expect(asgardeo.applications.size).toBe(0)
    expect(issues).toEqual([])
    asgardeo.heal()
    await registrar.findOrCreate('proxy')
    expect(asgardeo.applications.size).toBe(1)
  })

  it.each([
    ['resources', false],
    ['authorize-api', false],
    ['list', false],
    ['dcr', true],
  ] as const)('nor of a registration of which %s fails', async (step, happens) => {
    const { asgardeo, registrar } = await start({ authorizes: true })
    asgardeo.fail(step, { status: 'cut', happens, times: 1 })
    await registrar.register('one')
    expect(asgardeo.applications.size).toBe(1)
  })

  it('and what could not be cleaned up is named, for the operator to do it', async () => {
    const { asgardeo, registrar, issues } = await start({
      authorizes: true,
      adminScopes: without('internal_application_mgt_delete'),
    })
    asgardeo.fail('authorize-api', { status: 500 })
    await expect(registrar.findOrCreate('proxy')).rejects.toThrow(/authorized-apis with 500/)
    expect(issues).toEqual([expect.stringMatching(/"proxy" may be left behind at Asgardeo.*internal_application_mgt_delete/)])
  })

  it('and a resource that is not there is named', async () => {
    const { asgardeo, registrar } = await start({ authorizes: true, apiResources: [] })
    await expect(registrar.findOrCreate('proxy')).rejects.toThrow(/no API resource "https:\/\/mcp.example.com\/mcp"/)
    expect(asgardeo.applications.size).toBe(0)
  })

  it('of one that is deleted already, deleting is fine', async () => {
    const { asgardeo, registrar } = await start()
    const one = await registrar.findOrCreate('one')
    const two = await registrar.register('two')
    for (const id of [...asgardeo.applications.keys()]) asgardeo.removeApplication(id)
    await registrar.remove(one)
    await registrar.remove(two)
  })
})

describe('an interface that means harm', () => {
  it('is not followed elsewhere', async () => {
    const { asgardeo, registrar } = await start()
    asgardeo.fail('create', { status: 307, headers: { location: 'https://evil.example/steal' } })
    await expect(registrar.findOrCreate('proxy')).rejects.toThrow(/redirects to evil.example, which is not followed/)
  })

  it('does not get what it says of our secrets into a message, nor more than a line', async () => {
    const { asgardeo, registrar } = await start()
    let secret = ''
    asgardeo.fail('create', {
      status: 400,
      body: (asked) => {
        secret = JSON.parse(asked).inboundProtocolConfiguration.oidc.clientSecret
        return { code: 'APP-1', description: `a\nb ${secret} ${'x'.repeat(5000)}` }
      },
    })
    const { message } = (await registrar.findOrCreate('proxy').catch((error: Error) => error)) as Error
    expect(secret).not.toBe('')
    expect(message).not.toContain(secret)
    expect(message).toContain('[secret]')
    expect(message).not.toContain('\n')
    expect(message.length).toBeLessThan(400)
  })

  it('does not fill our memory', async () => {
    const { asgardeo, registrar } = await start()
    asgardeo.fail('token', { status: 200, body: { access_token: 'x'.repeat(2_000_000) } })
    await expect(registrar.findOrCreate('proxy')).rejects.toThrow(/more than 512 KiB/)
  })

  it('has no say in where we go next: odd ids are not ids', async () => {
    const { asgardeo, registrar } = await start()
    const location = `${asgardeo.base}/api/server/v1/applications/../../evil`
    asgardeo.fail('create', { status: 201, headers: { location }, happens: true })
    await registrar.findOrCreate('proxy')
    expect(asgardeo.asked.some(({ path }) => path.includes('evil'))).toBe(false)
    expect(asgardeo.applications.size).toBe(1)
  })
})
