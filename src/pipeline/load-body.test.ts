import { afterEach, describe, expect, it, vi } from 'vitest'
import { sendMcp } from '../../test/support/mcp-requests.ts'
import { openStepGate, type StepGate } from '../../test/support/step.ts'
import type { ProtectedResource } from '../core/route-facts.ts'
import type { BodyOwners, BodyRoom } from '../http/body-room.ts'
import { createForwardedRules } from '../http/forwarded.ts'

let gate: StepGate
afterEach(() => gate.close())

const resource = {
  identifier: 'https://mcp.example',
  metadataUrl: '',
  bearerMethods: ['header', 'body'],
} as unknown as ProtectedResource
const long = { jsonrpc: '2.0', id: 1, method: 'ping', params: { text: 'x'.repeat(100_000) } }

/** Room for everything, which knows who asked for it and whether it was given back. */
function watchRoom() {
  const owners: BodyOwners[] = []
  const release = vi.fn()
  const bodyRoom: BodyRoom = {
    claim(_bytes, owner) {
      owners.push(owner)
      return { given: Promise.resolve(), arrived: () => undefined, release }
    },
  }
  return { owners, release, bodyRoom }
}

describe('the room for a long body', () => {
  it('is one user’s whatever the client, and given back when the answer begins', async () => {
    const { owners, release, bodyRoom } = watchRoom()
    gate = await openStepGate({}, { bodyRoom })
    await sendMcp(`${gate.origin}/mcp`, { user: 'alice~one', body: long })
    await sendMcp(`${gate.origin}/mcp`, { user: 'alice~two', body: long })
    await sendMcp(`${gate.origin}/mcp`, { user: 'bob~one', body: long })
    const [first, second, third] = owners
    expect(first?.server).toBe('test')
    expect(second).toEqual(first)
    expect(third?.user).not.toBe(first?.user)
    await vi.waitUntil(() => release.mock.calls.length >= 3)
  })

  it('is a client’s where there is no user', async () => {
    const { owners, bodyRoom } = watchRoom()
    gate = await openStepGate({}, { bodyRoom })
    for (const user of ['~one', '~two']) await sendMcp(`${gate.origin}/mcp`, { user, body: long })
    expect(new Set(owners.map(({ user }) => user)).size).toBe(2)
  })

  it('is an address’s while the caller is not known', async () => {
    const { owners, bodyRoom } = watchRoom()
    gate = await openStepGate({ resource }, { bodyRoom })
    const form = new URLSearchParams({ access_token: 'alice', message: JSON.stringify(long) }).toString()
    const headers = { 'content-type': 'application/x-www-form-urlencoded', authorization: '' }
    expect((await sendMcp(`${gate.origin}/mcp`, { body: form, headers })).status).toBe(202)
    expect(owners).toEqual([{ user: '127.0.0.1', server: 'test' }])
  })

  it('is not one for all clients behind a load balancer that reports their addresses', async () => {
    const { owners, bodyRoom } = watchRoom()
    gate = await openStepGate({ resource }, { bodyRoom, forwarded: createForwardedRules(['127.0.0.1'], 'https://mcp.example') })
    const form = new URLSearchParams({ access_token: 'alice', message: JSON.stringify(long) }).toString()
    for (const client of ['203.0.113.7', '203.0.113.8']) {
      const type = { 'content-type': 'application/x-www-form-urlencoded', authorization: '' }
      await sendMcp(`${gate.origin}/mcp`, { body: form, headers: { ...type, 'x-forwarded-for': client } })
    }
    expect(owners.map(({ user }) => user)).toEqual(['203.0.113.7', '203.0.113.8'])
  })
})

describe('a body', () => {
  it('must be JSON', async () => {
    gate = await openStepGate()
    expect((await sendMcp(`${gate.origin}/mcp`, { body: '{}', headers: { 'content-type': 'text/plain' } })).status).toBe(415)
  })

  it.each([
    ['no message', ''],
    ['two messages', '&message={}&message={}'],
  ])('that is a form with %s is refused', async (_, more) => {
    gate = await openStepGate({ resource })
    const headers = { 'content-type': 'application/x-www-form-urlencoded', authorization: '' }
    const { status } = await sendMcp(`${gate.origin}/mcp`, { body: `access_token=alice${more}`, headers })
    expect(status).toBe(400)
    expect(gate.calls).toEqual([])
  })
})
