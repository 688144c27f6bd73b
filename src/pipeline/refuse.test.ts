import { afterEach, describe, expect, it, vi } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import { openPolicy } from '../../test/support/gate.ts'
import { sendMcp } from '../../test/support/mcp-requests.ts'
import { openRawConnection } from '../../test/support/raw-client.ts'
import { openStepGate, type StepGate } from '../../test/support/step.ts'
import { ProxyError } from '../core/errors.ts'

let gate: StepGate
afterEach(() => gate.close())

const ping = (id: unknown) => ({ jsonrpc: '2.0', id, method: 'ping' })

/** A gate whose upstream fails with this. */
const openFailing = (error: ProxyError) => openStepGate({}, {}, (_call, reply) => reply.fail(error))

describe('a refusal', () => {
  it('of a JSON-RPC request carries its id, a code and the error of the catalogue, and nothing of the cause', async () => {
    gate = await openFailing(
      new ProxyError('upstream_unreachable', { reason: 'connect_failed', cause: 'a private address', retryAfter: 3 }),
    )
    const response = await sendMcp(`${gate.origin}/mcp`, { body: ping('a"b') })
    expect([response.status, response.headers.get('retry-after'), response.headers.get('cache-control')]).toEqual([
      502,
      '3',
      'no-store',
    ])
    expect(response.headers.get('www-authenticate')).toBeNull()
    const id = response.headers.get('x-request-id')
    expect(id).toMatch(/^[\w-]+$/)
    expect(await response.json()).toEqual({
      jsonrpc: '2.0',
      id: 'a"b',
      error: {
        code: -31502,
        message: 'The MCP server cannot be reached',
        data: { error: 'upstream_unreachable', request_id: id },
      },
    })
  })

  it('of a batch is a batch, with each id once', async () => {
    gate = await openFailing(new ProxyError('upstream_timeout'))
    const headers = { 'mcp-protocol-version': '2025-03-26' }
    const response = await sendMcp(`${gate.origin}/mcp`, { body: [ping(1), ping(2), ping(1)], headers })
    expect(((await response.json()) as { id: unknown }[]).map(({ id }) => id)).toEqual([1, 2])
  })

  it('of what is no JSON has no id, and of what is ambiguous the ids that can be read', async () => {
    gate = await openStepGate()
    const [broken, ambiguous] = await Promise.all(
      ['{"jsonrpc":"2.0","id":1,"method":"ping",}', '{"jsonrpc":"2.0","id":1,"method":"ping","method":"x"}'].map((body) =>
        sendMcp(`${gate.origin}/mcp`, { body }),
      ),
    )
    expect(await broken?.json()).not.toHaveProperty('id')
    expect(await ambiguous?.json()).toMatchObject({ id: 1, error: { data: { error: 'json_ambiguous' } } })
  })

  it('for a missing scope asks for what the token has of ours and for what is missing, sorted', async () => {
    const verifier = {
      verify: () => ({
        issuer: 'https://i',
        subject: 'alice',
        clientId: 'c',
        scopes: new Set(['z:held', 'foreign']),
        groups: [],
        assurance: 'audience' as const,
        expiresAt: Number.MAX_SAFE_INTEGER,
        acceptedUntil: Number.MAX_SAFE_INTEGER,
        claims: {},
      }),
    }
    const denial = {
      effect: 'deny',
      code: 'scope_insufficient',
      scopes: ['b:needed'],
      missing: ['b:needed'],
      reason: '',
    } as const
    const policy = { ...openPolicy, decide: () => denial }
    gate = await openStepGate({ verifier, policy, comparedScopes: new Set(['z:held', 'b:needed']) })
    const response = await sendMcp(`${gate.origin}/mcp`, { body: ping(1) })
    expect(response.headers.get('www-authenticate')).toContain('error="insufficient_scope"')
    expect(response.headers.get('www-authenticate')).toContain('scope="b:needed z:held"')
    expect(await response.json()).toMatchObject({ error: { data: { missing_scopes: ['b:needed'] } } })
  })

  it('tells nothing of a bug, and its stack to the log', async () => {
    gate = await openStepGate({
      policy: {
        ...openPolicy,
        decide: () => {
          throw new Error('secret')
        },
      },
    })
    const response = await sendMcp(`${gate.origin}/mcp`, { body: ping(1) })
    expect(response.status).toBe(500)
    expect(await response.text()).not.toContain('secret')
    await vi.waitUntil(() => gate.records.length > 0)
    expect(gate.records[0]).toMatchObject({ code: 'internal_error', cause: expect.objectContaining({ message: 'secret' }) })
  })

  it('is recorded with its reason', async () => {
    const failure = new ProxyError('token_invalid', { reason: 'signature_invalid', cause: 'it does not verify' })
    gate = await openStepGate({ verifier: { verify: () => Promise.reject(failure) } })
    await sendMcp(`${gate.origin}/mcp`, { body: ping(1) })
    await vi.waitUntil(() => gate.records.length > 0)
    expect(gate.records[0]).toMatchObject({ code: 'token_invalid', reason: 'signature_invalid', cause: 'it does not verify' })
  })

  it('of HEAD has no body', async () => {
    gate = await openStepGate()
    const response = await sendMcp(`${gate.origin}/mcp`, { method: 'HEAD' })
    expect([response.status, await response.text()]).toEqual([405, ''])
  })
})

it('a failure after the answer has begun cuts the connection', async () => {
  gate = await openStepGate({}, {}, (_call, reply) => {
    reply.start(200, { 'content-type': 'application/json' })
    reply.write(Buffer.from('{'))
    reply.fail(new ProxyError('upstream_ended', { cause: 'it exited' }))
  })
  await expect(sendMcp(`${gate.origin}/mcp`, { body: ping(1) }).then((response) => response.text())).rejects.toThrow()
  await vi.waitUntil(() => gate.records.length > 0)
  expect(gate.records[0]).toMatchObject({ status: 200, code: 'upstream_ended', cause: 'it exited' })
})

it('a bug after the answer has begun cuts the connection, too', async () => {
  gate = await openStepGate({}, {}, (_call, reply) => {
    reply.start(200, { 'content-type': 'application/json' })
    reply.write(Buffer.from('{'))
    throw new Error('a bug')
  })
  await expect(sendMcp(`${gate.origin}/mcp`, { body: ping(1) }).then((response) => response.text())).rejects.toThrow()
  await vi.waitUntil(() => gate.records.length > 0)
  expect(gate.records[0]).toMatchObject({ status: 200, code: 'internal_error' })
})

describe('a client that goes on sending', () => {
  const body = 1_000_000
  const openSending = async () => {
    const clock = createFakeClock()
    gate = await openStepGate({}, { clock })
    const { host, port } = new URL(gate.origin)
    const connection = await openRawConnection(Number(port))
    connection.write(`POST /mcp HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${body}\r\n\r\n{`)
    expect((await connection.readResponse()).status).toBe(401)
    await vi.waitUntil(() => clock.pending > 0)
    return { clock, connection, host }
  }

  it('gets two seconds to read the refusal, and no more', async () => {
    const { clock, connection } = await openSending()
    clock.advance(1999)
    expect(clock.pending).toBe(1)
    clock.advance(1)
    await connection.closed
  })

  it('keeps its connection when it has sent everything by then', async () => {
    const { clock, connection, host } = await openSending()
    connection.write(Buffer.alloc(body - 1, ' '))
    await vi.waitUntil(() => clock.pending === 0)
    clock.advance(2000)
    connection.write(`GET /elsewhere HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
    expect((await connection.readResponse()).status).toBe(404)
    connection.destroy()
  })
})
