import { randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { startBroker } from '../../src/broker/broker.ts'
import { loadConfigValue } from '../../src/config/load.ts'
import type { SecurityEvent } from '../../src/core/security-event.ts'
import { createMemoryStore } from '../../src/store/memory-store.ts'
import { createFakeClock } from '../support/fake-clock.ts'

it('tells of each key that takes over signing, and of no other', async () => {
  const config = {
    public_url: 'http://localhost',
    identity_provider: { issuer: 'https://login.example.com', client_id: 'x', client_secret: { env: 'SECRET' } },
    broker: { store: { kind: 'memory' }, signing_key_seconds: 86_400 },
    servers: [{ name: 'example', path: '/mcp', upstream: 'http://localhost:1/mcp' }],
  }
  const where = { env: { SECRET: 'secret-at-the-provider-0123456789' }, directory: import.meta.dirname, terminal: false }
  const plan = loadConfigValue(config, where).plan.broker
  if (plan === undefined) throw new Error('there is no broker in the plan')
  const clock = createFakeClock()
  let heard = Promise.withResolvers<SecurityEvent>()
  const events: SecurityEvent[] = []
  const onEvent = (event: SecurityEvent): void => {
    events.push(event)
    heard.resolve(event)
  }
  const broker = await startBroker({
    plan: { ...plan, encryptionKeys: [randomBytes(32)] },
    resources: [],
    endpointPaths: [],
    store: createMemoryStore(clock),
    onIssue: () => {},
    onEvent,
    clock,
  })
  // A new key is published for an hour before it signs.
  for (const day of [1, 2]) {
    heard = Promise.withResolvers<SecurityEvent>()
    let isOver = false
    heard.promise.then(() => {
      isOver = true
    })
    while (!isOver) {
      clock.advance(10 * 60_000)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(events).toHaveLength(day)
  }
  expect(events).toMatchObject([
    { kind: 'key_rotated', outcome: 'success', issuer: 'http://localhost', keyId: expect.any(String) },
    { kind: 'key_rotated', outcome: 'success' },
  ])
  expect(new Set(events.map((event) => 'keyId' in event && event.keyId)).size).toBe(2)
  await broker.close()
})
