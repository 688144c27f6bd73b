// The store in Redis wherever it can be: behind Sentinels, in a cluster, over TLS, as an ACL user.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from 'redis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RedisStorePlan } from '../src/core/plan/store-plan.ts'
import { openRedisStore } from '../src/store/redis-store.ts'
import { countTogether } from './contract/counters.ts'
import { storeContract } from './contract/store.ts'
import { createCertificate } from './support/certificate.ts'
import { findFreePort } from './support/free-port.ts'
import { readAclRule } from './support/redis-acl.ts'
import {
  beginMove,
  type Cluster,
  MASTER_NAME,
  promote,
  type SentinelFleet,
  startCluster,
  startSentinelFleet,
  waitForQuorum,
} from './support/redis-fleet.ts'
import { createRedisPlan } from './support/redis-plan.ts'
import { hasRedisServer, type RedisServer, startRedisServer } from './support/redis-server.ts'

const folder = mkdtempSync(join(tmpdir(), 'places-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const { cert, key } = createCertificate()
const pem = (name: string, text: string): string => {
  const file = join(folder, name)
  writeFileSync(file, text)
  return file
}
const certFile = pem('cert.pem', cert)
const TLS_FILES = ['--tls-cert-file', certFile, '--tls-key-file', pem('key.pem', key), '--tls-ca-cert-file', certFile]
const TLS = { ca: cert, cert, key, serverName: undefined }

const hosts = (servers: readonly RedisServer[]) => servers.map(({ port }) => ({ host: '127.0.0.1', port }))
const open = async (plan: RedisStorePlan) => ({
  store: await openRedisStore(plan, () => {}),
  other: await openRedisStore(plan, () => {}),
})
const failureOf = (plan: RedisStorePlan): Promise<string> =>
  openRedisStore(plan, () => {}).then(
    async (store) => {
      await store.close()
      return 'none'
    },
    (error: Error) => error.message,
  )

const USER = { username: 'mcp', password: 'of-the-user' }

/** Adds the user of docs/redis.md, and one who may not use a command of the scripts. */
async function addUser(servers: readonly RedisServer[], of: 'server' | 'cluster'): Promise<void> {
  for (const { url } of servers) {
    const own = await createClient({ url }).connect()
    await own.sendCommand(['ACL', 'SETUSER', USER.username, 'on', `>${USER.password}`, ...readAclRule(of)])
    await own.sendCommand(['ACL', 'SETUSER', 'blind', 'on', `>${USER.password}`, '~*', '+@all', '-zadd'])
    await own.close()
  }
}

describe.skipIf(!hasRedisServer())('a master behind Sentinels that ask for a password of their own', () => {
  let fleet: SentinelFleet
  const user = { username: 'mcp', password: 'of-the-sentinels' }
  const plan = (more: object = {}): RedisStorePlan =>
    createRedisPlan(0, {
      place: { kind: 'sentinel', nodes: hosts(fleet.sentinels), master: MASTER_NAME, user, ...more },
      user: { username: undefined, password: 'of-the-master' },
      waitForReplicas: 1,
    })
  beforeAll(async () => {
    fleet = await startSentinelFleet({
      settings: ['--requirepass', 'of-the-master', '--masterauth', 'of-the-master'],
      sentinelLines: [
        `sentinel auth-pass ${MASTER_NAME} of-the-master`,
        `requirepass ${user.password}`,
        `user ${user.username} on >${user.password} ${readAclRule('sentinel').join(' ')}`,
      ],
    })
    await waitForQuorum(fleet, user.password)
  })
  afterAll(() => fleet?.close())

  storeContract(() => open(plan()))
  it('counts for all processes', () => countTogether(plan()))

  it('is found where some Sentinels are away', async () => {
    const away = { host: '127.0.0.1', port: await findFreePort() }
    expect(await failureOf(plan({ nodes: [away, away, ...hosts(fleet.sentinels.slice(0, 1))] }))).toBe('none')
  })

  it('is missed with a reason that says what to change', async () => {
    const at = `127.0.0.1:${fleet.sentinels[0]?.port}`
    expect(await failureOf(plan({ master: 'other' }))).toContain(`store.sentinel.master: ${at}: ERR No such master`)
    expect(await failureOf(plan({ user: { ...user, password: 'wrong' } }))).toContain(`store.sentinel.password: ${at}: WRONGPASS`)
    expect(await failureOf(plan({ user: { username: undefined, password: undefined } }))).toContain(
      `store.sentinel.password: ${at}: NOAUTH`,
    )
    expect(await failureOf(plan({ nodes: hosts(fleet.servers) }))).toMatch(/^store\.sentinel\.(urls|password): .+:\d+/)
    expect(await failureOf({ ...plan(), user: { username: undefined, password: 'wrong' } })).toMatch(
      /^store\.password: 127\.0\.0\.1:\d+: WRONGPASS[^.]+[^.]\. Give the password/,
    )
    const away = { host: '127.0.0.1', port: await findFreePort() }
    expect(await failureOf(plan({ nodes: [away] }))).toMatch(/no Sentinel knows the master: 127\.0\.0\.1:\d+: .*ECONNREFUSED/)
  })

  it('is named by its Sentinels alone: neither a Sentinel nor a replica is a master', async () => {
    const [sentinel] = hosts(fleet.sentinels)
    const [, replica] = hosts(fleet.servers)
    const direct = (node: typeof sentinel, password: string) =>
      failureOf({ ...createRedisPlan(node?.port ?? 0), user: { username: undefined, password } })
    expect(await direct(sentinel, user.password)).toMatch(/^store\.url: .+ is a Sentinel\. List/)
    expect(await direct(replica, 'of-the-master')).toMatch(/is a replica, which takes no writes/)
  })

  it('takes no write that its replicas do not have', async () => {
    const message = await openRedisStore({ ...plan(), waitForReplicas: 2 }, () => {}).then(async (store) => {
      const told = await store.put('kind', 'id', 'value').then(
        () => 'written',
        (error: Error) => error.message,
      )
      await store.close()
      return told
    })
    expect(message).toBe('1 of 2 replicas have what was written')
  })
})

describe.skipIf(!hasRedisServer())('Sentinels that disagree', () => {
  let [former, newest]: (SentinelFleet | undefined)[] = []
  beforeAll(async () => {
    ;[former, newest] = await Promise.all([startSentinelFleet(), startSentinelFleet()])
    await Promise.all([former, newest].map((fleet) => waitForQuorum(fleet)))
    await promote(newest)
  })
  afterAll(() => Promise.all([former?.close(), newest?.close()]))

  it('are believed by the newest configuration, as where one was cut off from the others', async () => {
    const nodes = hosts([...(former?.sentinels ?? []), ...(newest?.sentinels ?? [])])
    const user = { username: undefined, password: undefined }
    const place = { kind: 'sentinel', nodes, master: MASTER_NAME, user } as const
    const store = await openRedisStore(createRedisPlan(0, { place }), () => {})
    await store.put('kind', 'id', 'value')
    const own = await createClient({ url: newest?.servers[1]?.url ?? '' }).connect()
    expect(await own.exists('test:e:kind:id')).toBe(1)
    await Promise.all([own.close(), store.close()])
  })
})

describe.skipIf(!hasRedisServer())('a cluster of three nodes', () => {
  let cluster: Cluster
  beforeAll(async () => {
    cluster = await startCluster(0)
  })
  afterAll(() => cluster?.close())
  const plan = (prefix = 'test:', nodes = hosts(cluster.nodes)) =>
    createRedisPlan(0, { place: { kind: 'cluster', nodes }, prefix })

  storeContract(() => open(plan()))
  it('counts for all processes', () => countTogether(plan()))

  it.each(['', 'a:', 'b:', 'c{:', '{d}:', '}e{'])(
    'holds the whole store on one node, with the prefix %j, too',
    async (prefix) => {
      const { store, other } = await open(plan(prefix))
      await store.put('kind', 'id', 'value', { groups: ['group'] })
      await other.deleteGroup('group')
      expect(await store.find('kind', 'id')).toBeUndefined()
      await Promise.all([store.close(), other.close()])
      await countTogether(plan(prefix))
    },
  )

  it('is found through any of its nodes', async () => {
    const away = { host: '127.0.0.1', port: await findFreePort() }
    for (const node of hosts(cluster.nodes)) expect(await failureOf(plan('test:', [away, node]))).toBe('none')
  })

  it('refuses what it cannot do whole while its hash slot moves key by key, and has lost nothing after that', async () => {
    const { store, other } = await open(plan('moving:'))
    await store.put('kind', 'id', 'before', { groups: ['group'] })
    const move = await beginMove(cluster, 'moving:{store}:')
    await move.take('moving:{store}:kind:kind')
    await expect(store.put('kind', 'id', 'during', { groups: ['group'] })).rejects.toThrow()
    await expect(store.put('kind', 'new', 'during', { groups: ['group'] })).rejects.toThrow()
    await expect(store.take('kind', 'id')).rejects.toThrow()
    await expect(store.deleteGroup('group')).rejects.toThrow()
    await expect(store.find('kind', 'absent')).rejects.toThrow(/ASK/)
    expect(await other.find('kind', 'id')).toBe('before')
    await move.take('moving:{store}:e:kind:id')
    await move.take('moving:{store}:group:group')
    await move.end()
    expect(await store.list('kind', 10)).toEqual([{ id: 'id', value: 'before' }])
    await other.deleteGroup('group')
    expect(await store.find('kind', 'id')).toBeUndefined()
    await Promise.all([store.close(), other.close()])
  })

  it('is taken for what it is, and nothing else is taken for it', async () => {
    expect(await failureOf(createRedisPlan(cluster.nodes[0]?.port ?? 0))).toMatch(
      /^store\.url: .+List its nodes under `store\.cluster/,
    )
    const alone = await startRedisServer()
    expect(await failureOf(plan('test:', hosts([alone])))).toMatch(/^store\.cluster: .+no node of a cluster.+`store\.url`/)
    await alone.close()
  })
})

describe.skipIf(!hasRedisServer())('a server that takes a connection and then stands still', () => {
  it('is asked again over another connection', async () => {
    const server = await startRedisServer()
    let connections = 0
    const front = createServer((socket) => {
      connections += 1
      const isStill = connections === 1
      const onward = connect(server.port, '127.0.0.1')
      socket.on('data', (bytes) => {
        // What is asked first after the greeting of the client.
        if (!isStill || !bytes.includes('*1\r\n$5\r\nHELLO')) onward.write(bytes)
      })
      onward.pipe(socket).on('close', () => onward.destroy())
      onward.on('error', () => socket.destroy())
    })
    const port = await findFreePort()
    await new Promise<void>((resolve) => front.listen(port, '127.0.0.1', resolve))
    expect(await failureOf(createRedisPlan(port))).toBe('none')
    expect(connections).toBe(2)
    front.close()
    await server.close()
  })
})

describe.skipIf(!hasRedisServer())('Redis with TLS that asks for a client certificate', () => {
  let server: RedisServer
  beforeAll(async () => {
    const port = await findFreePort()
    server = await startRedisServer({ port, settings: ['--port', '0', '--tls-port', String(port), ...TLS_FILES] })
  })
  afterAll(() => server?.close())
  const plan = (tls: RedisStorePlan['tls'] = TLS) => createRedisPlan(server.port, { tls })

  storeContract(() => open(plan()))
  it('counts for all processes', () => countTogether(plan()))

  it('is refused, or refuses, with a reason that says what to change', async () => {
    const none = { ca: undefined, cert: undefined, key: undefined, serverName: undefined }
    expect(await failureOf(plan(none))).toMatch(/^store\.tls\.ca_file: 127\.0\.0\.1:\d+: .+Name the authority/)
    expect(await failureOf(plan({ ...TLS, ca: createCertificate().cert }))).toMatch(/^store\.tls\.ca_file: /)
    expect(await failureOf(plan({ ...none, ca: cert }))).toMatch(/^store\.tls\.cert_file: .+client certificate/)
    expect(await failureOf(plan({ ...TLS, serverName: 'redis.example' }))).toMatch(/^store\.tls\.server_name: .+redis\.example/)
    expect(await failureOf(createRedisPlan(server.port))).toMatch(/no connection to Redis.+rediss:\/\//)
    const open = await startRedisServer()
    expect(await failureOf(createRedisPlan(open.port, { tls: TLS }))).toMatch(/no connection to Redis.+no answer.+redis:\/\//)
    await open.close()
  })

  it('may have another name than it is reached by', async () => {
    expect(await failureOf(plan({ ...TLS, serverName: 'localhost' }))).toBe('none')
  })
})

describe.skipIf(!hasRedisServer())('an ACL user with the rule of docs/redis.md', () => {
  let server: RedisServer
  const user = USER
  beforeAll(async () => {
    server = await startRedisServer()
    await addUser([server], 'server')
  })
  afterAll(() => server?.close())
  const plan = (more: Partial<RedisStorePlan> = {}) => createRedisPlan(server.port, { user, prefix: 'mcp:', ...more })

  storeContract(() => open(plan()))
  it('counts for all processes', () => countTogether(plan()))

  it('gets no further than its keys, and says so', async () => {
    expect(await failureOf(plan({ prefix: 'other:' }))).toMatch(/^store\.username: .+docs\/redis\.md/)
    expect(await failureOf(plan({ user: { ...user, username: 'blind' } }))).toMatch(/^store\.username: .+docs\/redis\.md/)
    expect(await failureOf(plan({ user: { ...user, username: 'nobody' } }))).toMatch(/^store\.password: .+check `username`/)
  })
})
