// A hostile issuer among several: its own name servers say where it is, and could say another thing each time that they are asked.
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { afterEach, describe, expect, it } from 'vitest'
import { DIRECT } from '../../src/core/plan/egress-plan.ts'
import type { IssuerPlan } from '../../src/core/plan/issuer-plan.ts'
import { createIssuerPool } from '../../src/oauth/issuer.ts'
import type { ResolveHost } from '../../src/oauth/resolve-host.ts'
import { createSafeFetch } from '../../src/oauth/safe-fetch.ts'
import { createTokenVerifier } from '../../src/oauth/token-verifier.ts'
import { closeServer, listenOnLoopback } from '../../src/sandbox/listen.ts'
import { createCertificate } from '../support/certificate.ts'
import { forge } from '../support/forge.ts'
import { createIntrospectionPlan, createIssuerPlan } from '../support/issuer-plan.ts'
import { audience, createClaims } from '../support/verifier.ts'

const HOST = 'idp.evil.example'
const open: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of open.splice(0)) await close()
})

/** Starts a server; returns its port. */
async function serve(listener: RequestListener, tls?: { cert: string; key: string }): Promise<number> {
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener)
  const port = await listenOnLoopback(server, 0)
  open.push(() => closeServer(server))
  return port
}

/** The name servers of the issuer: these answers, one after the other, and the last one from then on. */
function answerInTurn(...answers: readonly (readonly string[])[]): ResolveHost {
  let asked = 0
  return (hostname, _options, callback) => {
    expect(hostname).toBe(HOST)
    const addresses = answers[Math.min(asked, answers.length - 1)] ?? []
    asked += 1
    callback(
      null,
      addresses.map((address) => ({ address, family: 4 })),
    )
  }
}

/** Shows a token of an issuer whose metadata names a service of this machine. Returns what that service was asked. */
async function lead(resolveHost: ResolveHost, plan: Partial<IssuerPlan>, token: (issuer: string) => string): Promise<string[]> {
  const asked: string[] = []
  const note = ({ method, url }: IncomingMessage) => asked.push(`${method} ${url}`)
  const inside = await serve((request, response) => {
    note(request)
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"keys":[],"active":false}')
  })
  const tls = createCertificate({ host: HOST })
  const own = await serve((_request, response) => {
    const endpoint = `http://127.0.0.1:${inside}/quit`
    const metadata = { issuer, jwks_uri: endpoint, introspection_endpoint: endpoint }
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(metadata))
  }, tls)
  const issuer = `https://${HOST}:${own}`
  const pool = createIssuerPool({ resolveHost })
  open.push(() => pool.close())
  const verifier = createTokenVerifier({
    issuers: [createIssuerPlan(issuer, { ca: tls.cert, ...plan })],
    audiences: [audience],
    pool,
  })
  await expect(async () => verifier.verify(token(issuer))).rejects.toThrow()
  return asked
}

const PUBLIC = ['127.0.0.1', '93.184.216.34']
const PRIVATE = ['10.1.2.3']
const signed = (issuer: string) =>
  forge({ header: { alg: 'ES256', kid: 'k' }, payload: createClaims(issuer) }, 'a secret', 'ES256')

describe('an issuer that was reached at a public address', () => {
  it.each<[string, Partial<IssuerPlan>, (issuer: string) => string]>([
    ['keys', {}, signed],
    ['introspection', { introspection: createIntrospectionPlan() }, () => 'opaque'],
  ])('leads to no private one, though its name has one by then: %s', async (_, plan, token) => {
    expect(await lead(answerInTurn(PUBLIC, PRIVATE), plan, token)).toEqual([])
  })

  it('leads to none either once it is reached at a private one', async () => {
    expect(await lead(answerInTurn(PUBLIC, PRIVATE, ['127.0.0.1']), {}, signed)).toEqual([])
  })

  it('leads there where the operator permits it', async () => {
    expect(await lead(answerInTurn(PUBLIC), { allowPrivateNetwork: true }, signed)).toEqual(['GET /quit'])
  })
})

describe('an issuer that was reached at private addresses alone', () => {
  it('leads to others', async () => {
    expect(await lead(answerInTurn(['127.0.0.1']), {}, signed)).toEqual(['GET /quit'])
  })
})

describe('an issuer whose name had a public address at which it was not reached, as while the resolver of a company starts', () => {
  it('leads to private ones as soon as it is reached at one', async () => {
    const inside = await serve((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"keys":[]}')
    })
    const tls = createCertificate({ host: HOST })
    const own = createTlsServer(tls, (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
    })
    own.once('connection', (socket) => socket.destroy())
    const issuer = `https://${HOST}:${await listenOnLoopback(own, 0)}`
    open.push(() => closeServer(own))
    const plan = { issuer, allowPrivateNetwork: false, ca: tls.cert, egress: DIRECT }
    const { fetchJson, close } = createSafeFetch(plan, answerInTurn(PUBLIC, ['127.0.0.1']))
    open.push(close)
    await expect(fetchJson(issuer, { namedBy: 'operator' })).rejects.toThrow()
    await expect(fetchJson(issuer, { namedBy: 'operator' })).resolves.toMatchObject({ document: {} })
    const keys = fetchJson(`http://127.0.0.1:${inside}/keys`, { namedBy: 'metadata' })
    await expect(keys).resolves.toMatchObject({ document: { keys: [] } })
  })
})
