// Accounts of users at an MCP server, as two replicas share them: an authorization server whose refresh tokens are good once and that takes
// a second use for theft, and a replica that is killed when it has been given the next one.
import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ConfigInput } from '../../src/config/schema/schema.ts'
import { type AuthorizationServer, startAuthorizationServer } from '../../src/sandbox/authorization-server.ts'
import type { User } from '../../src/sandbox/users.ts'
import { createRawClient, obtainTokens, type RawClient } from '../support/broker-client.ts'
import { BROKER_CLIENT, BROKER_CLIENT_ID, BROKER_CLIENT_SECRET } from '../support/broker-stage.ts'
import { findFreePorts } from '../support/free-port.ts'
import { createToolCall, readAnswer, sendMcp } from '../support/mcp-requests.ts'
import { waitUntil } from '../support/processes.ts'
import { hasRedisServer, type RedisServer, startRedisServer } from '../support/redis-server.ts'
import { issueTokens, type ScriptedAccount, sendBack, sendJson, startScriptedAccount } from '../support/scripted-account.ts'
import { sendForm, signInVisitor } from '../support/visitor.ts'
import { type Replica, startReplica } from './support/replica.ts'
import { reportTarget } from './support/target.ts'

const CRASHING = fileURLToPath(new URL('../fixtures/broker/crash-hooks.ts', import.meta.url))
/** Until another process may refresh in the place of one that is gone, and until it has noticed on a busy machine. */
const LOCK_MS = 25_000
const NOTICED_MS = 10_000
/** Longest that a process uses a token without asking the store. */
const KEEP_MS = 5_000
const CALLS = 3_000

const CROWD = Array.from({ length: 20 }, (_, index) => `user-${index}`)
const USERS: readonly User[] = ['alice', 'bob', 'carol', ...CROWD].map((name) => ({
  name,
  password: `password of ${name}`,
  displayName: name,
  mayGrant: ['mcp:tools'],
}))

describe.skipIf(!hasRedisServer())('accounts of users at two replicas', { timeout: 120_000 }, () => {
  const key = randomBytes(32).toString('base64')
  const tokens = new Map<string, string>()
  let redis: RedisServer
  let identityProvider: AuthorizationServer
  let upstream: Upstream
  let ports: number[]
  let one: Replica
  let other: Replica
  let client: RawClient

  const originOf = ({ port }: { readonly port: number }) => `http://localhost:${port}`
  const start = (port = 0, env: Readonly<Record<string, string>> = {}): Replica => {
    const config = configure(originOf({ port: ports[0] ?? 0 }), identityProvider.issuer, upstream.url, redis.url)
    return startReplica(
      { ...config, listen: { port } },
      { env: { BROKER_KEY: key, BROKER_SECRET: BROKER_CLIENT_SECRET, ...env } },
    )
  }

  beforeAll(async () => {
    identityProvider = await startAuthorizationServer({ clients: [BROKER_CLIENT], users: USERS })
    ;[redis, upstream, ports] = await Promise.all([startRedisServer(), startUpstream(), findFreePorts(3)])
    ;[one, other] = [start(ports[0]), start(ports[1])]
    await Promise.all([one.waitUntilReady(), other.waitUntilReady()])
    client = await createRawClient(originOf(one))
  }, 60_000)
  afterAll(async () => {
    for (const replica of [one, other]) replica?.signal('SIGKILL')
    await Promise.all([one?.exited, other?.exited, upstream?.close(), identityProvider?.close(), redis?.close()])
  })

  /** Signs a user in, who connects an account on the way. */
  const connect = async (name: string): Promise<void> => {
    const user = USERS.find((candidate) => candidate.name === name)
    upstream.signsIn(name)
    tokens.set(name, (await obtainTokens(originOf(one), client, user as User)).access_token)
  }
  /** @returns the number of the token that the MCP server was shown, or the code of the refusal */
  const call = async (replica: Replica, user: string): Promise<number | string> => {
    const url = `${originOf(replica)}/mcp`
    const answer = await readAnswer(sendMcp(url, { user: tokens.get(user) ?? '', body: createToolCall('whoami', { user }) }))
    const number = /^issue (\d+)$/.exec(answer.result?.content[0].text ?? '')?.[1]
    return number === undefined ? (answer.error?.data.error ?? 'neither answer nor refusal') : Number(number)
  }

  it('are refreshed once for all calls at both, which get the new token', async () => {
    upstream.issueFor(0)
    await connect('alice')
    upstream.issueFor(3600)
    const calls = Array.from({ length: 40 }, (_, index) => call(index % 2 === 0 ? one : other, 'alice'))
    const shown = new Set(await Promise.all(calls))
    expect([...shown].map((number) => upstream.ownerOf(Number(number)))).toEqual(['alice'])
    expect([upstream.refreshes.length, upstream.thefts]).toEqual([1, []])
    reportTarget('A1', 'one refresh serves two replicas', { calls: calls.length, refreshes: upstream.refreshes.length })
  })

  it('are used for at most five seconds at the one where they were disconnected at the other', async () => {
    await connect('bob')
    const [before] = [await call(other, 'bob'), await call(one, 'bob')]
    expect(upstream.ownerOf(Number(before))).toBe('bob')
    const browser = await signInVisitor(originOf(one), USERS[1] as User)
    await sendForm(browser, `${originOf(one)}/connections`, { action: 'disconnect', server: 'saas' })
    const disconnected = performance.now()
    let used = disconnected
    expect(await call(one, 'bob')).toBe('account_required')
    const hasEnded = async () => {
      const sent = performance.now()
      const answer = await call(other, 'bob')
      if (answer === before) used = sent
      return answer === 'account_required'
    }
    await waitUntil(hasEnded, 'the other replica does without', 30_000)
    expect(used - disconnected).toBeLessThan(KEEP_MS)
    expect(upstream.revoked).toEqual([before])
    reportTarget('A1', 'a disconnected account is used no more', { 'seconds at the other': (used - disconnected) / 1000 })
  })

  it('are asked for anew of one user alone, when a replica is killed after that user’s refresh and before it was stored', async () => {
    // Each user needs a refresh every second.
    upstream.issueFor(1)
    for (const user of CROWD) await connect(user)
    upstream.issueFor(0)
    await connect('carol')
    const dying = start(ports[2], { NODE_OPTIONS: `--import=${CRASHING}`, FATAL_MOMENT: 'before replace UpstreamAccount' })
    await dying.waitUntilReady()
    const refreshed = upstream.refreshes.length
    await expect(call(dying, 'carol')).rejects.toThrow()
    const { at: killed } = await dying.exited
    expect(upstream.refreshes.slice(refreshed)).toEqual(['carol'])
    upstream.issueFor(1)
    const wrong: string[] = []
    let sent = 0
    let isOver = false
    const work = async (user: string, first: number): Promise<void> => {
      for (let turn = first; !isOver || sent < CALLS; turn += 1) {
        sent += 1
        const answer = await call(turn % 2 === 0 ? one : other, user)
        if (upstream.ownerOf(Number(answer)) !== user) wrong.push(`${user}: ${answer}`)
      }
    }
    const insist = async (replica: Replica): Promise<number | string> => {
      const answer = await call(replica, 'carol')
      return answer === 'upstream_token_unavailable' ? insist(replica) : answer
    }
    const crowd = Promise.all(CROWD.map(work))
    const answers = await Promise.all([one, other].map(insist)).finally(() => {
      isOver = true
    })
    const stuck = performance.now() - killed
    await crowd
    expect([wrong, answers, upstream.thefts]).toEqual([[], ['account_required', 'account_required'], ['carol']])
    expect(stuck).toBeLessThan(LOCK_MS + NOTICED_MS)
    await connect('carol')
    expect(upstream.ownerOf(Number(await call(other, 'carol')))).toBe('carol')
    expect(upstream.mixUps).toEqual([])
    const refreshes = upstream.refreshes.length
    reportTarget('A1', 'a killed replica costs one user one question', {
      calls: sent,
      refreshes,
      'seconds until asked': stuck / 1000,
    })
  })
})

/** An MCP server whose authorization server knows whom it issued what for. */
interface Upstream {
  readonly url: string
  /** Users for whom tokens were refreshed, and those of whom a refresh token came twice: they have lost everything. */
  readonly refreshes: readonly string[]
  readonly thefts: readonly string[]
  /** Numbers of what was revoked. */
  readonly revoked: readonly number[]
  /** Calls that carried a token of another user than the one who called. */
  readonly mixUps: readonly string[]
  /** Who has signed in there: the next authorization request is theirs. */
  signsIn(user: string): void
  /** How long access tokens are good from now on. */
  issueFor(seconds: number): void
  /** The user for whom the token with this number was issued. */
  ownerOf(number: number): string | undefined
  close(): Promise<void>
}

const readNumber = (token: string | null | undefined): number => Number(/number-(\d+)/.exec(token ?? '')?.[1])

async function startUpstream(): Promise<Upstream> {
  const saas = await startScriptedAccount()
  const owners: string[] = []
  const newest = new Map<string, number>()
  const [refreshes, thefts]: [string[], string[]] = [[], []]
  let [user, seconds] = ['', 3600]
  const issue = (owner: string): object => {
    newest.set(owner, owners.push(owner) - 1)
    return issueTokens(owners.length - 1, { expires_in: seconds })
  }
  saas.script('/authorize', ({ query }, response) => sendBack(query, response, { code: user }))
  saas.script('/token', ({ form }, response) => {
    if (form.get('grant_type') === 'authorization_code') return issue(form.get('code') ?? '')
    const number = readNumber(form.get('refresh_token'))
    const owner = owners[number] ?? ''
    if (newest.get(owner) === number) {
      refreshes.push(owner)
      return issue(owner)
    }
    thefts.push(owner)
    newest.delete(owner)
    return sendJson(response, 400, { error: 'invalid_grant' })
  })
  return {
    url: saas.url,
    refreshes,
    thefts,
    get revoked() {
      return saas.at('/revoke').map(({ form }) => readNumber(form.get('token')))
    },
    get mixUps() {
      return listMixUps(saas, owners)
    },
    signsIn: (name) => {
      user = name
    },
    issueFor: (next) => {
      seconds = next
    },
    ownerOf: (number) => owners[number],
    close: saas.close,
  }
}

function listMixUps(saas: ScriptedAccount, owners: readonly string[]): readonly string[] {
  const shown = saas.at('/mcp').filter(({ headers }) => headers.authorization !== undefined)
  if (shown.length < CALLS) throw new Error(`the MCP server has seen ${shown.length} calls`)
  return shown
    .filter(({ headers, body }) => {
      const message = JSON.parse(body) as { readonly params: { readonly arguments: { readonly user: string } } }
      return message.params.arguments.user !== owners[readNumber(headers.authorization)]
    })
    .map(({ body }) => body)
}

function configure(origin: string, issuer: string, upstream: string, store: string): ConfigInput {
  return {
    public_url: origin,
    store: { kind: 'redis', url: store },
    identity_provider: { issuer, client_id: BROKER_CLIENT_ID, client_secret: { env: 'BROKER_SECRET' } },
    encryption_keys: [{ env: 'BROKER_KEY' }],
    broker: { authorizations_per_minute: 100_000 },
    log: { format: 'json' },
    servers: [{ name: 'saas', path: '/mcp', upstream, credential: 'own_account', scopes: ['mcp:tools'] }],
  }
}
