import { EventEmitter } from 'node:events'
import { describe, expect, it } from 'vitest'
import { createFakeClock } from '../../../../test/support/fake-clock.ts'
import { BROKER_PATHS } from '../../../core/broker-paths.ts'
import { ProxyError } from '../../../core/errors.ts'
import type { Principal } from '../../../core/principal.ts'
import { createMemoryStore } from '../../../store/memory-store.ts'
import { createRevocations, GRANT_CLAIM, SUBJECT_GRANT_CLAIM } from '../../tokens/revocation.ts'
import type { Middleware } from '../middlewares.ts'
import { answerForOwnTokens, type OwnTokensOptions } from './jwt-revocation-and-introspection.ts'

const { introspection, revocation } = BROKER_PATHS.provider
const claims = { sub: 'ann', jti: 'token-1', scope: 'read', [GRANT_CLAIM]: 'grant-1', [SUBJECT_GRANT_CLAIM]: 'grant-0' }
const principal = {
  issuer: 'https://mcp.example',
  subject: 'ann',
  clientId: 'app',
  expiresAt: 4e9,
  claims,
} as unknown as Principal

/** What the provider has come to by the time our own answer is due, and what becomes of it. */
async function ask(changes: {
  path?: string
  client?: { clientId: string; clientAuthMethod: string } | undefined
  status?: number
  body?: unknown
  verify?: () => Principal
}) {
  const clock = createFakeClock()
  const store = createMemoryStore(clock)
  const revocations = createRevocations(store, clock)
  const options: OwnTokensOptions = {
    store,
    revocations,
    verifier: { verify: changes.verify ?? (() => principal) },
    mayIntrospect: new Set(['gateway']),
    report: () => {},
  }
  const told: string[] = []
  const provider = new EventEmitter().on('revocation.error', (_ctx, error: Error) => told.push(error.message))
  const ctx = {
    path: changes.path ?? introspection,
    status: changes.status ?? 400,
    body: changes.body ?? { error: 'unsupported_token_type' },
    oidc: {
      provider,
      client: 'client' in changes ? changes.client : { clientId: 'app', clientAuthMethod: 'none' },
      params: { token: 't' },
    },
  }
  await answerForOwnTokens(options)(ctx as unknown as Parameters<Middleware>[0], async () => undefined)
  const { isActive } = await revocations.findStanding('token-1', undefined)
  await store.close()
  return { status: ctx.status, body: ctx.body, isRevoked: !isActive, told }
}

const withSecret = (clientId: string) => ({ clientId, clientAuthMethod: 'client_secret_basic' })
const inactive = { status: 200, body: { active: false } }

describe('introspection of our own access tokens', () => {
  it.each(['gateway', 'app'])('tells %s, who authenticated, about it, but not which grants are behind it', async (clientId) => {
    const { status, body } = await ask({ client: withSecret(clientId) })
    expect(status).toBe(200)
    expect(body).toEqual({ active: true, token_type: 'Bearer', sub: 'ann', jti: 'token-1', scope: 'read' })
  })

  it.each(['app', 'gateway'])('tells a client that has not authenticated nothing, %s either', async (clientId) => {
    expect(await ask({ client: { clientId, clientAuthMethod: 'none' } })).toMatchObject(inactive)
  })

  it('tells other clients nothing', async () => {
    expect(await ask({ client: withSecret('other') })).toMatchObject(inactive)
  })

  it('says of a token that is no good that it is not active, and of one that cannot be judged nothing', async () => {
    const refuse = (error: ProxyError) => () => {
      throw error
    }
    const invalid = new ProxyError('token_invalid', { reason: 'signature_invalid' })
    const unavailable = new ProxyError('issuer_unavailable', { reason: 'store_unavailable' })
    expect(await ask({ client: withSecret('gateway'), verify: refuse(invalid) })).toMatchObject(inactive)
    await expect(ask({ client: withSecret('gateway'), verify: refuse(unavailable) })).rejects.toThrow(ProxyError)
  })

  it.each<[string, Parameters<typeof ask>[0]]>([
    ['the provider refused the client', { client: undefined }],
    ['the provider answered itself', { status: 200, body: { active: true } }],
    ['the provider refused the request for another reason', { body: { error: 'invalid_request' } }],
    ['it was another endpoint', { path: BROKER_PATHS.provider.token }],
  ])('is not ours to answer when %s', async (_what, changes) => {
    const { status, body } = await ask(changes)
    expect({ status, body }).toEqual({ status: changes.status ?? 400, body: changes.body ?? { error: 'unsupported_token_type' } })
  })
})

describe('revocation of our own access tokens', () => {
  it('ends a token of the client that asks', async () => {
    expect(await ask({ path: revocation })).toEqual({ status: 200, body: '', isRevoked: true, told: [] })
  })

  it.each(['other', 'gateway'])(
    'leaves that of another client alone, and tells it and the log (RFC 7009 §2.1): %s',
    async (clientId) => {
      const { status, body, isRevoked, told } = await ask({ path: revocation, client: withSecret(clientId) })
      expect({ status, body, isRevoked }).toMatchObject({ status: 400, body: { error: 'invalid_grant' }, isRevoked: false })
      expect(told).toEqual(['invalid_grant'])
    },
  )

  it('succeeds where the token is no good any more (RFC 7009 §2.2)', async () => {
    const verify = () => {
      throw new ProxyError('token_expired')
    }
    expect(await ask({ path: revocation, verify })).toMatchObject({ status: 200, body: '', told: [] })
  })
})
