// Each workaround against oidc-provider as it comes: a test fails once the library no longer needs it, and the workaround can go.
import { readdirSync, readFileSync } from 'node:fs'
import type { ClientMetadata } from 'oidc-provider'
import { afterEach, describe, expect, it } from 'vitest'
import {
  type PlainProvider,
  type PlainProviderOptions,
  postTo,
  startPlainProvider,
} from '../../../../test/support/plain-provider.ts'
import { createClientMetadataHook } from './client-metadata-hook.ts'
import { redirectExactly } from './exact-redirects.ts'
import { answerInvalidClient } from './invalid-client-status.ts'
import { allowRegistrationFromPages } from './registration-cors.ts'
import { answerUnauthorizedClient } from './unauthorized-client.ts'

const WEB: ClientMetadata = {
  client_id: 'web',
  token_endpoint_auth_method: 'none',
  redirect_uris: ['https://client.example/?a=%7e'],
  grant_types: ['authorization_code'],
}
const MACHINE: ClientMetadata = {
  client_id: 'machine',
  client_secret: 'a secret of a test',
  redirect_uris: [],
  response_types: [],
  grant_types: ['client_credentials'],
}

const running: PlainProvider[] = []
afterEach(async () => {
  for (const { close } of running.splice(0)) await close()
})

async function start(options: PlainProviderOptions): Promise<PlainProvider> {
  const provider = await startPlainProvider(options)
  running.push(provider)
  return provider
}

it('are checked with the version of oidc-provider that is installed', () => {
  const { version } = JSON.parse(readFileSync('node_modules/oidc-provider/package.json', 'utf8')) as { version: string }
  const files = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
  expect(files.length).toBeGreaterThan(0)
  for (const name of files)
    expect(readFileSync(`${import.meta.dirname}/${name}`, 'utf8'), name).toContain(`Workaround for oidc-provider ${version}:`)
})

describe('a hook for client metadata', () => {
  const features = { registration: { enabled: true } }
  const register = async ({ url }: PlainProvider) => {
    const body = JSON.stringify({ redirect_uris: ['https://client.example/cb'], client_name: 'A client' })
    const response = await fetch(`${url}/register`, { method: 'POST', body, headers: { 'content-type': 'application/json' } })
    return (await response.json()) as Record<string, unknown>
  }

  it('is not called by the library where the configuration names no further member', async () => {
    const called: string[] = []
    const extraClientMetadata = { properties: [], validator: () => void called.push('called') }
    await register(await start({ features, extraClientMetadata }))
    expect(called).toEqual([])
  })

  it('is called once for each client, and changes the metadata', async () => {
    const called: unknown[] = []
    const extraClientMetadata = createClientMetadataHook((metadata) => {
      called.push(metadata.client_name)
      metadata.client_name = 'Another name'
    })
    expect(await register(await start({ features, extraClientMetadata }))).toMatchObject({ client_name: 'Another name' })
    expect(called).toEqual(['A client'])
  })
})

describe('a grant that the client may not use', () => {
  const ask = async (middlewares: PlainProviderOptions['middlewares']) => {
    const { url } = await start({
      clients: [WEB],
      features: { clientCredentials: { enabled: true } },
      middlewares: middlewares ?? [],
    })
    return postTo(`${url}/token`, { grant_type: 'client_credentials', client_id: 'web' })
  }

  it('is invalid_request for the library', async () => {
    expect(await ask([])).toMatchObject({ status: 400, body: { error: 'invalid_request' } })
  })

  it('is unauthorized_client (RFC 6749 §5.2)', async () => {
    expect(await ask([answerUnauthorizedClient])).toMatchObject({ status: 400, body: { error: 'unauthorized_client' } })
  })
})

describe('a client whose metadata document is gone', () => {
  const ask = async (middlewares: PlainProviderOptions['middlewares']) => {
    const { url } = await start({
      features: { clientIdMetadataDocument: { enabled: true, ack: 'draft-02' } },
      fetch: async () => new Response(null, { status: 404 }),
      middlewares: middlewares ?? [],
    })
    return postTo(`${url}/token`, { grant_type: 'authorization_code', client_id: 'https://client.example/gone.json', code: 'x' })
  }

  it('is answered 400 by the library', async () => {
    expect(await ask([])).toMatchObject({ status: 400, body: { error: 'invalid_client' } })
  })

  it('is answered 401, like every other unknown client', async () => {
    expect(await ask([answerInvalidClient])).toMatchObject({ status: 401, body: { error: 'invalid_client' } })
  })
})

describe('a registration from a page of another origin', () => {
  const askFirst = async (middlewares: PlainProviderOptions['middlewares']) => {
    const { url } = await start({ features: { registration: { enabled: true } }, middlewares: middlewares ?? [] })
    const headers = { origin: 'https://page.example', 'access-control-request-method': 'POST' }
    const { status, headers: told } = await fetch(`${url}/register`, { method: 'OPTIONS', headers })
    return { status, allowed: told.get('access-control-allow-origin') }
  }

  it('is not allowed by the library', async () => {
    expect((await askFirst([])).allowed).toBeNull()
  })

  it('is allowed', async () => {
    expect(await askFirst([allowRegistrationFromPages])).toEqual({ status: 204, allowed: '*' })
  })
})

describe('an authorization response', () => {
  const findRedirect = async (middlewares: PlainProviderOptions['middlewares'], more: Record<string, string>) => {
    const { url } = await start({ clients: [WEB], middlewares: middlewares ?? [] })
    const parameters = {
      client_id: 'web',
      redirect_uri: WEB.redirect_uris?.[0] ?? '',
      response_type: 'code',
      scope: 'openid',
      state: 's',
    }
    const query = new URLSearchParams({ ...parameters, ...more })
    return (await fetch(`${url}/authorize?${query}`, { redirect: 'manual' })).headers.get('location') ?? ''
  }

  it.each([
    ['goes in the fragment when the client asks for that', { response_mode: 'fragment', prompt: 'none' }, /#.*error=/],
    ['goes in the fragment when the response type is unknown', { response_type: 'token' }, /#.*error=/],
  ])('%s, with the library alone', async (_name, more, expected) => {
    expect(await findRedirect([], more)).toMatch(expected)
    expect(await findRedirect([redirectExactly], more)).toMatch(/^https:\/\/client\.example\/\?a=%7e&error=[^#]*$/)
  })
})

it('keeps the exact spelling of the redirect URI, which the library changes', async () => {
  const redirect = async (middlewares: PlainProviderOptions['middlewares']) => {
    const clients = [{ ...WEB, redirect_uris: ['https://client.example'] }]
    const { url } = await start({ clients, middlewares: middlewares ?? [] })
    const query = 'client_id=web&redirect_uri=https://client.example&response_type=code&scope=openid&prompt=none'
    return (await fetch(`${url}/authorize?${query}`, { redirect: 'manual' })).headers.get('location')
  }
  expect(await redirect([])).toMatch(/^https:\/\/client\.example\/\?error=/)
  expect(await redirect([redirectExactly])).toMatch(/^https:\/\/client\.example\?error=/)
})

describe('the revocation and introspection of a JWT', () => {
  it.each(['revoke', 'introspect'])('is not supported by the library: /%s', async (endpoint) => {
    const features = {
      clientCredentials: { enabled: true },
      revocation: { enabled: true },
      introspection: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: () => ({ scope: 'read', accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } } }),
      },
    } as PlainProviderOptions['features']
    const { url } = await start({ clients: [MACHINE], features })
    const authorization = { authorization: `Basic ${Buffer.from('machine:a+secret+of+a+test').toString('base64')}` }
    const form = { grant_type: 'client_credentials', resource: 'https://server.example/', scope: 'read' }
    const { body } = await postTo(`${url}/token`, form, authorization)
    const answer = await postTo(`${url}/${endpoint}`, { token: String(body.access_token) }, authorization)
    expect(answer).toMatchObject({ status: 400, body: { error: 'unsupported_token_type' } })
  })
})
