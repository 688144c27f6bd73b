import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { ConfigInput } from '../src/config/schema/schema.ts'
import { examine } from '../src/doctor/doctor.ts'
import { type DoctorStage, openDoctorStage, STAGE_ENV } from './support/doctor-stage.ts'
import { readAclRule } from './support/redis-acl.ts'
import { hasRedisServer, type RedisServer, startRedisServer } from './support/redis-server.ts'

const open: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

async function openStage(): Promise<DoctorStage> {
  const stage = await openDoctorStage()
  open.push(() => stage.close())
  return stage
}

/** What the doctor says of the store, and how it fares. */
async function examineStore(stage: DoctorStage, store: ConfigInput['store']) {
  const { findings } = await examine(stage.load(stage.configure({ store })), undefined, async () => new Map())
  return findings.filter(({ about }) => about.startsWith('store'))
}

describe('a store in SQLite', () => {
  it('that is not there is not made, and one that is there can be read and written', async () => {
    const stage = await openStage()
    const store = { kind: 'sqlite' as const, path: 'state/proxy.db' }
    expect(await examineStore(stage, store)).toMatchObject([{ id: 'store_absent', verdict: 'ok', about: 'store (sqlite)' }])
    expect(existsSync(join(stage.folder, 'state'))).toBe(false)
    await stage.run(stage.configure({ store }))
    const [found] = await examineStore(stage, store)
    expect(found).toMatchObject({ id: 'store', verdict: 'ok', says: expect.stringMatching(/^It can be read and written\. An/) })
  })

  it('whose place cannot be one is a problem', async () => {
    const stage = await openStage()
    writeFileSync(join(stage.folder, 'a-file'), '')
    const [found] = await examineStore(stage, { kind: 'sqlite', path: 'a-file/proxy.db' })
    expect(found).toMatchObject({ id: 'store_unusable', verdict: 'problem', fix: expect.stringContaining('a-file/proxy.db') })
  })
})

it('a store in memory is nothing to look at', async () => {
  expect(await examineStore(await openStage(), { kind: 'memory' })).toEqual([])
})

describe.skipIf(!hasRedisServer())('a store in Redis', () => {
  const PASSWORD = STAGE_ENV.SECRET
  async function startWithUser(rule: readonly string[]): Promise<RedisServer> {
    const server = await startRedisServer({ settings: ['--user', 'mcp', 'on', `>${PASSWORD}`, ...rule] })
    open.push(() => server.close())
    return server
  }
  const describeAs = ({ url }: RedisServer) => ({
    kind: 'redis' as const,
    ...{ url, username: 'mcp', password: { env: 'SECRET' } },
  })

  it('is asked with the rights of its user, and tells its version', async () => {
    const server = await startWithUser(readAclRule('server'))
    const found = await examineStore(await openStage(), describeAs(server))
    expect(found).toMatchObject([{ id: 'store', verdict: 'ok' }])
    expect(found[0]?.says).toMatch(
      /^It can be read and written \(redis \d+\.\d+\.\d+\)\. An answer takes (?:less than 1|\d+) ms\.$/,
    )
  })

  it.each(['hset', 'pexpireat', 'set', 'pttl'])('is a problem where its user may not %s', async (command) => {
    const rule = readAclRule('server').filter((part) => part !== `+${command}`)
    const found = await examineStore(await openStage(), describeAs(await startWithUser(rule)))
    expect(found).toMatchObject([{ id: 'store_unusable', verdict: 'problem', fix: expect.stringContaining('docs/redis.md') }])
  })

  it('is a problem where the password is wrong or nothing listens, and the password is not told', async () => {
    const stage = await openStage()
    const server = await startWithUser(readAclRule('server'))
    await server.close()
    const [refused] = await examineStore(stage, describeAs(server))
    expect(refused).toMatchObject({ id: 'store_unusable', says: expect.stringContaining('ECONNREFUSED') })
    const other = await startRedisServer({ settings: ['--user', 'mcp', 'on', '>another-password-entirely', '~*', '+@all'] })
    open.push(() => other.close())
    const [wrong] = await examineStore(stage, describeAs(other))
    expect(wrong).toMatchObject({ id: 'store_unusable', says: expect.stringMatching(/store\.password: .*WRONGPASS/) })
    expect(JSON.stringify([refused, wrong])).not.toContain(PASSWORD)
  })
})
