import { randomBytes } from 'node:crypto'
import { afterEach, describe, expect, it } from 'vitest'
import { API, CALLBACK, type RegistrarStage, startRegistrarStage } from '../../../test/support/asgardeo-registrar.ts'
import { createFakeClock, type FakeClock } from '../../../test/support/fake-clock.ts'
import { type Clock, systemClock } from '../../core/clock.ts'
import { createEncryption } from '../../core/encryption.ts'
import type { Store } from '../../core/store.ts'
import { openStore } from '../../store/open-store.ts'
import { type AsgardeoApplications, createAsgardeoApplications, formatName } from './applications.ts'

let stage: RegistrarStage | undefined
afterEach(async () => {
  await stage?.close()
  stage = undefined
})

const encryption = createEncryption([randomBytes(32)])
const asking = (id: string) => ({ id, name: `Client ${id}`, address: '192.0.2.1' })
const plan = {
  base: 'https://asgardeo.example/t/acme',
  admin: { clientId: 'a', clientSecret: 'b' },
  registration: 'per_client' as const,
  applicationName: 'proxy',
  api: undefined,
  mostApplications: 3,
}

interface Opened {
  readonly asgardeo: RegistrarStage['asgardeo']
  readonly clock: FakeClock
  readonly store: Store
  /** Applications of a process of its own, which shares the store. */
  readonly open: (changed?: Partial<Store>, clock?: Clock) => AsgardeoApplications
}

async function start(): Promise<Opened> {
  stage = await startRegistrarStage({ apiResources: [API] })
  const { registrar, asgardeo } = stage
  const clock = createFakeClock()
  const store = await openStore({ kind: 'memory' }, () => {})
  const registration = { enabled: true, mostClients: 10, perMinute: 100, unusedSeconds: 3600, idleSeconds: 86_400 }
  const open: Opened['open'] = (changed = {}, ownClock = clock) =>
    createAsgardeoApplications({
      plan,
      registration,
      redirectUri: CALLBACK,
      registrar,
      store: { ...store, ...changed },
      encryption,
      clock: ownClock,
      onIssue: () => {},
    })
  return { asgardeo, clock, store, open }
}

describe('applications of MCP clients', () => {
  it('are one for each client, for all processes that share the store', async () => {
    const { asgardeo, open } = await start()
    const clients = await Promise.all([1, 2, 3].map(() => open({}, systemClock).obtain(asking('x'))))
    expect(new Set(clients.map(({ clientId }) => clientId)).size).toBe(1)
    await open().obtain(asking('y'))
    expect(asgardeo.applications.size).toBe(2)
  })

  it('are deleted again when the store does not take them', async () => {
    const { asgardeo, open } = await start()
    const put = () => Promise.reject(new Error('disk full'))
    await expect(open({ put }).obtain(asking('x'))).rejects.toThrow('disk full')
    expect(asgardeo.applications.size).toBe(0)
  })

  it('stay known while they cannot be deleted', async () => {
    const { asgardeo, clock, open } = await start()
    const applications = open()
    await applications.obtain(asking('x'))
    clock.jump(7200_000)
    asgardeo.fail('dcr-delete', { status: 500 })
    await applications.sweep()
    expect(await applications.find('x')).toBeDefined()
    asgardeo.heal()
    await applications.sweep()
    expect([await applications.find('x'), asgardeo.applications.size]).toEqual([undefined, 0])
  })

  it('make room for others only when they are left over from a sign-in that never ended', async () => {
    const { asgardeo, clock, open } = await start()
    const applications = open()
    for (const id of ['a', 'b', 'c']) await applications.obtain(asking(id))
    await applications.noteUse('a')
    await expect(applications.obtain(asking('d'))).rejects.toThrow(/3 applications already/)
    clock.jump(16 * 60_000)
    await applications.obtain(asking('d'))
    await applications.obtain(asking('e'))
    expect(await applications.find('a')).toBeDefined()
    expect(asgardeo.applications.size).toBe(3)
  })

  it('are stored encrypted', async () => {
    const { open, store } = await start()
    const client = await open().obtain(asking('x'))
    const kept = JSON.stringify(await store.list('AsgardeoApplication', 10))
    for (const word of [client.clientId, client.clientSecret, 'proxy']) expect(kept).not.toContain(word)
  })

  it.each([
    ['Claude Code', /^proxy_Claude-Code_[\da-f]{12}$/],
    ['a\r\nb: c', /^proxy_a-b-c_/],
    ['日本語', /^proxy_client_/],
    ['---', /^proxy_client_/],
    ['É'.repeat(100), /^proxy_E[E-]{0,39}_/],
  ])('have names that Asgardeo takes: %j', (name, expected) => {
    expect(formatName({ id: 'x', name, address: '' }, plan)).toMatch(expected)
  })
})
