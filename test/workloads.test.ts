// Tokens of workloads, as Kubernetes, GitHub Actions and SPIRE make them, by the settings of docs/recipes/workloads.md.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { ConfigInput } from '../src/config/schema/schema.ts'
import { closeServer } from '../src/sandbox/listen.ts'
import { createCertificate } from './support/certificate.ts'
import { answerJson, startRecordingUpstream } from './support/recording-upstream.ts'
import { type Stage, startStage } from './support/stage.ts'
import { startIssuer, type TestIssuer } from './support/tokens.ts'

const open: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

const AUDIENCE = 'https://mcp.example.com/mcp'
const now = () => Math.floor(Date.now() / 1000)
/** What our issuer would put in, and workloads have not. */
const NONE = { client_id: undefined, scope: undefined }

type Issuers = NonNullable<ConfigInput['issuers']>
type Access = NonNullable<ConfigInput['access']>

/** A server that accepts tokens of one issuer, by access or by base scopes. */
async function start(issuers: Issuers, server: { access?: Access; scopes?: string[] }) {
  const stage: Stage = await startStage({
    servers: ({ upstream }) => [{ path: '/mcp', upstream: `${upstream}/up`, audience: [AUDIENCE], issuers, ...server }],
  })
  open.push(() => stage.close())
  return async (token: string, method = 'tools/list'): Promise<number> => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method })
    const response = await fetch(`${stage.proxy.origin}/mcp`, { method: 'POST', headers, body })
    await response.arrayBuffer()
    return response.status
  }
}

async function startOpenId(options: Parameters<typeof startIssuer>[0] = {}): Promise<TestIssuer> {
  const issuer = await startIssuer({ ...options, discovery: 'openid-appended' })
  open.push(issuer.close)
  return issuer
}

describe('GitHub Actions', () => {
  const claims = {
    ...NONE,
    aud: AUDIENCE,
    sub: 'repo:octo-org/octo-repo:environment:prod',
    jti: 'example-id',
    environment: 'prod',
    ref: 'refs/heads/main',
    ref_type: 'branch',
    sha: 'example-sha',
    repository: 'octo-org/octo-repo',
    repository_id: '74',
    repository_owner: 'octo-org',
    repository_owner_id: '65',
    repository_visibility: 'private',
    actor: 'octocat',
    actor_id: '12',
    workflow: 'nightly',
    workflow_ref: 'octo-org/octo-repo/.github/workflows/nightly.yml@refs/heads/main',
    job_workflow_ref: 'octo-org/octo-automation/.github/workflows/oidc.yml@refs/heads/main',
    event_name: 'schedule',
    head_ref: '',
    base_ref: '',
    run_id: 'example-run-id',
    run_number: '10',
    run_attempt: '2',
    runner_environment: 'github-hosted',
    iat: now(),
    nbf: now() - 600,
    exp: now() + 300,
  }
  const mint = (issuer: TestIssuer, changes: object = {}) =>
    issuer.mint({ claims: { ...claims, ...changes }, header: { typ: 'JWT', x5t: 'example-thumbprint' } })

  it('gets scopes by repository, and other repositories get none', async () => {
    const issuer = await startOpenId()
    const grant = [{ claim: 'repository', values: ['octo-org/octo-repo'], scopes: ['mcp:tools'] }]
    const call = await start([{ issuer: issuer.issuer, grant }], { scopes: ['mcp:tools'] })
    expect(await call(await mint(issuer))).toBe(200)
    expect(await call(await mint(issuer, { repository: 'mallory/octo-repo' }))).toBe(403)
    expect(await call(await mint(issuer, { repository: undefined }))).toBe(403)
    expect(await call(await mint(issuer, { aud: 'https://github.com/octo-org' }))).toBe(401)
  })

  it('is opened by access to one environment of one repository alone', async () => {
    const issuer = await startOpenId()
    const who = `principal.issuer == '${issuer.issuer}' && principal.subject == 'repo:octo-org/octo-repo:environment:prod'`
    const call = await start([issuer.issuer], { access: [{ who, methods: ['tasks/list'] }] })
    expect(await call(await mint(issuer), 'tasks/list')).toBe(200)
    const ofBranch = { sub: 'repo:octo-org/octo-repo:ref:refs/heads/main' }
    expect(await call(await mint(issuer, ofBranch), 'tasks/list')).toBe(403)
  })
})

describe('Kubernetes', () => {
  const claims = {
    ...NONE,
    aud: [AUDIENCE],
    sub: 'system:serviceaccount:jobs:nightly',
    jti: 'e51f1fbc-4733-4b85-a59f-ba80c0523874',
    iat: now(),
    nbf: now(),
    exp: now() + 3607,
    'kubernetes.io': {
      namespace: 'jobs',
      node: { name: 'worker', uid: '517eb86e-b863-451b-bf70-86cb61439a3a' },
      pod: { name: 'nightly-x', uid: '0d8b260e-ef0e-45fb-be8e-ff44f97722e8' },
      serviceaccount: { name: 'nightly', uid: 'e6a8680e-d103-4cce-80ea-03acbbeacf7d' },
      warnafter: now() + 3600,
    },
  }

  /** An API server with a certificate of its own authority, which serves metadata and keys to who shows a token of the cluster. */
  async function startCluster() {
    const folder = mkdtempSync(join(tmpdir(), 'cluster-'))
    const [ca, tokenFile] = [join(folder, 'ca.crt'), join(folder, 'token')]
    const certificate = createCertificate()
    writeFileSync(ca, certificate.cert)
    writeFileSync(tokenFile, 'first-token\n')
    const signer = await startIssuer()
    const shown: (string | undefined)[] = []
    let accepted = 'first-token'
    let port = 0
    const server: Server = createServer({ key: certificate.key, cert: certificate.cert }, (request, response) => {
      shown.push(request.headers.authorization)
      const answer = (status: number, type: string, value: unknown) =>
        response.writeHead(status, { 'content-type': type }).end(JSON.stringify(value))
      const isKnown = request.headers.authorization === `Bearer ${accepted}`
      if (!isKnown)
        return void answer(403, 'application/json', { kind: 'Status', status: 'Failure', reason: 'Forbidden', code: 403 })
      if (request.url === '/openid/v1/jwks')
        return void answer(200, 'application/jwk-set+json', { keys: [signer.signingKey.publicJwk] })
      const origin = `https://localhost:${port}`
      answer(200, 'application/json', {
        issuer: origin,
        jwks_uri: `${origin}/openid/v1/jwks`,
        response_types_supported: ['id_token'],
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: ['RS256'],
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    port = (server.address() as AddressInfo).port
    open.push(async () => {
      await Promise.all([closeServer(server), signer.close()])
      rmSync(folder, { recursive: true })
    })
    const issuer = `https://localhost:${port}`
    return {
      ...{ ca, tokenFile, issuer, shown },
      replaceToken(token: string) {
        accepted = token
        writeFileSync(tokenFile, token)
      },
      mint: (changes: object = {}) => signer.mint({ claims: { ...claims, iss: issuer, ...changes }, header: { typ: undefined } }),
    }
  }

  it('shows its API server the token of the file, which may be replaced, and gives scopes by service account', async () => {
    const cluster = await startCluster()
    const { ca, tokenFile, issuer, mint, shown } = cluster
    const grant = [{ claim: 'sub', values: ['system:serviceaccount:jobs:nightly'], scopes: ['mcp:tools'] }]
    cluster.replaceToken('second-token')
    const call = await start([{ issuer, ca_file: ca, fetch_token_file: tokenFile, grant }], { scopes: ['mcp:tools'] })
    expect(await call(await mint())).toBe(200)
    expect(new Set(shown)).toEqual(new Set(['Bearer second-token']))
    expect(await call(await mint({ sub: 'system:serviceaccount:jobs:other' }))).toBe(403)
    expect(await call(await mint({ aud: ['https://kubernetes.default.svc.cluster.local'] }))).toBe(401)
  })

  it('gets 503 while the file holds no token, and is sent nothing then', async () => {
    const { ca, tokenFile, issuer, mint, shown } = await startCluster()
    writeFileSync(tokenFile, 'two words')
    const call = await start([{ issuer, ca_file: ca, fetch_token_file: tokenFile, jwks_uri: `${issuer}/openid/v1/jwks` }], {})
    expect(await call(await mint())).toBe(503)
    expect(shown).toEqual([])
  })

  it('shows the token to no address that only metadata names', async () => {
    const { tokenFile } = await startCluster()
    const metadata = await startOpenId()
    const elsewhere = await startRecordingUpstream(answerJson({ keys: [metadata.signingKey.publicJwk] }))
    open.push(elsewhere.close)
    metadata.setMetadata({ jwks_uri: `${elsewhere.origin}/keys` })
    const call = await start([{ issuer: metadata.issuer, fetch_token_file: tokenFile }], {})
    expect(await call(await metadata.mint({ claims }))).toBe(200)
    expect(elsewhere.requests.map(({ headers }) => headers.authorization)).toEqual([undefined])
  })
})

describe('SPIFFE', () => {
  const claims = {
    ...NONE,
    aud: [AUDIENCE],
    sub: 'spiffe://example.org/ns/jobs/sa/nightly',
    iat: now(),
    exp: now() + 300,
    jti: undefined,
  }

  it.each([undefined, 'JWT', 'JOSE'])('accepts a JWT-SVID with typ %s, with and without iss', async (typ) => {
    const issuer = await startOpenId({ algorithm: 'ES256' })
    const grant = [{ claim: 'sub', values: [claims.sub], scopes: ['mcp:tools'] }]
    const call = await start([{ issuer: issuer.issuer, spiffe_trust_domain: 'example.org', grant }], { scopes: ['mcp:tools'] })
    const mint = (changes: object = {}) => issuer.mint({ claims: { ...claims, ...changes }, header: { typ } })
    expect(await call(await mint({ iss: undefined }))).toBe(200)
    expect(await call(await mint())).toBe(200)
    expect(await call(await mint({ sub: 'spiffe://example.org/ns/jobs/sa/other' }))).toBe(403)
  })

  it('takes the word of an issuer for its own trust domain alone', async () => {
    const [mine, other] = [await startOpenId({ algorithm: 'ES256' }), await startOpenId({ algorithm: 'ES256' })]
    const call = await start(
      [
        { issuer: mine.issuer, spiffe_trust_domain: 'example.org' },
        { issuer: other.issuer, spiffe_trust_domain: 'other.example' },
      ],
      {},
    )
    const mint = (issuer: TestIssuer, changes: object) =>
      issuer.mint({ claims: { ...claims, ...changes }, header: { typ: undefined } })
    const other1 = { sub: 'spiffe://other.example/job' }
    expect(await call(await mint(mine, { iss: undefined }))).toBe(200)
    expect(await call(await mint(other, { iss: undefined, ...other1 }))).toBe(200)
    for (const [issuer, changes] of [
      [other, { iss: undefined }],
      [other, {}],
      [mine, other1],
      [mine, { iss: undefined, sub: 'spiffe://example.org.other.example/job' }],
      [mine, { iss: undefined, sub: 'spiffe://example.org/' }],
      [mine, { iss: undefined, sub: undefined }],
      [mine, { iss: undefined, sub: 'alice' }],
      [mine, { sub: 'alice' }],
    ] as const)
      expect([issuer === mine, changes, await call(await mint(issuer, changes))]).toEqual([issuer === mine, changes, 401])
  })

  it('needs iss where no trust domain is configured', async () => {
    const issuer = await startOpenId({ algorithm: 'ES256' })
    const call = await start([issuer.issuer], {})
    expect(await call(await issuer.mint({ claims: { ...claims, iss: undefined }, header: { typ: undefined } }))).toBe(401)
  })
})
