import { createServer, type Server } from 'node:http'
import { allowInsecureRequests } from 'oauth4webapi'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { closeServer, listenOnLoopback } from '../../sandbox/listen.ts'
import { loadPlainClaims } from './plain-oauth-claims.ts'

type Answer = readonly [status: number, body: string]

let server: Server
let answers: Record<string, Answer>
let origin: string

beforeEach(async () => {
  server = createServer((request, response) => {
    const [status, body] = answers[request.url ?? ''] ?? [500, '']
    response.writeHead(status, { 'content-type': 'application/json' }).end(body)
  })
  origin = `http://localhost:${await listenOnLoopback(server, 0)}`
})
afterEach(() => closeServer(server))

const json = (value: unknown): Answer => [200, JSON.stringify(value)]
const load = () =>
  loadPlainClaims(
    {
      authorizationEndpoint: `${origin}/authorize`,
      tokenEndpoint: `${origin}/token`,
      userinfoEndpoint: `${origin}/user`,
      emailsEndpoint: `${origin}/emails`,
      organizationsEndpoint: `${origin}/orgs`,
      subjectClaim: 'id',
    },
    'token',
    { [allowInsecureRequests]: true },
  )

const shown = json({ id: 1, email: 'shown@corp.example', email_verified: true })

describe('the address of a user at a provider without ID tokens', () => {
  it.each<[string, unknown]>([
    ['is verified but not the primary one', [{ email: 'a@corp.example', primary: false, verified: true }]],
    ['is the primary one but not verified', [{ email: 'a@corp.example', primary: true, verified: false }]],
    ['is called verified in another type', [{ email: 'a@corp.example', primary: true, verified: 'true' }]],
    ['is called primary in another type', [{ email: 'a@corp.example', primary: 1, verified: true }]],
    ['is no text', [{ email: 7, primary: true, verified: true }]],
    ['is in no list', { email: 'a@corp.example', primary: true, verified: true }],
    ['is nowhere', [null, 'a@corp.example']],
  ])('counts as unverified when it %s, whatever the profile shows', async (_what, emails) => {
    answers = { '/user': shown, '/emails': json(emails), '/orgs': json([]) }
    expect(await load()).toMatchObject({ email_verified: false })
  })

  it('is the verified primary one, not the one that the profile shows', async () => {
    const emails = [
      { email: 'other@corp.example', primary: false, verified: true },
      { email: 'real@corp.example', primary: true, verified: true },
    ]
    answers = { '/user': shown, '/emails': json(emails), '/orgs': json([{ login: 'corp' }, { login: 7 }, null]) }
    expect(await load()).toEqual({ id: 1, email: 'real@corp.example', email_verified: true, organizations: ['corp'] })
  })

  it.each([403, 404])('is unverified when we may not look (%i), and no organization counts', async (status) => {
    answers = {
      '/user': json({ id: 1, email_verified: true, organizations: ['corp'] }),
      '/emails': [status, ''],
      '/orgs': [status, ''],
    }
    expect(await load()).toEqual({ id: 1, email_verified: false, organizations: [] })
  })

  it.each<[string, Record<string, Answer>]>([
    ['the profile is no object', { '/user': json([1]) }],
    ['the profile is null', { '/user': json(null) }],
    ['the profile is no JSON', { '/user': [200, '{'] }],
    ['the addresses cannot be told now', { '/emails': [500, ''] }],
    ['the organizations cannot be told now', { '/orgs': [429, ''] }],
  ])('is unknown for now when %s', async (_what, changes) => {
    answers = { '/user': shown, '/emails': json([]), '/orgs': json([]), ...changes }
    await expect(load()).rejects.toMatchObject({ kind: 'unavailable' })
  })
})
