import { setImmediate } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { ProxyError } from '../../src/core/errors.ts'
import type { TokenVerifier } from '../../src/core/ports.ts'
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts'
import { gateVerifier } from '../support/gate.ts'
import { openRawConnection, type RawConnection } from '../support/raw-client.ts'
import { openStepGate, type StepGate } from '../support/step.ts'

const LIFETIME_SECONDS = 60
const body = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pay"}}'
const limits = {
  bodyBytes: 1024 * 1024,
  bodiesBytes: 1024 * 1024,
  heldBytes: 1024 * 1024,
  jsonDepth: 128,
  batchMembers: 100,
  headersSeconds: 10,
  // As long as the client sends a byte now and then.
  bodyIdleSeconds: 86_400,
  stalledClientSeconds: 10,
}

let gate: StepGate
afterEach(() => gate.close())

interface Issuer extends TokenVerifier {
  isRevoked: boolean
  isAway: boolean
  /** Resolves when a token has been verified. */
  readonly asked: Promise<void>
}

/** Its tokens end after a minute. */
function createIssuer(clock: FakeClock): Issuer {
  const { promise: asked, resolve } = Promise.withResolvers<void>()
  const acceptedUntil = clock.wall() / 1000 + LIFETIME_SECONDS
  const issuer: Issuer = {
    asked,
    isRevoked: false,
    isAway: false,
    async verify(token, address) {
      if (issuer.isAway) throw new ProxyError('issuer_unavailable', { reason: 'keys_unavailable' })
      if (issuer.isRevoked) throw new ProxyError('token_invalid', { reason: 'not_active' })
      if (clock.wall() / 1000 >= acceptedUntil) throw new ProxyError('token_expired')
      resolve()
      return { ...(await gateVerifier.verify(token, address)), acceptedUntil }
    },
  }
  return issuer
}

/** Begins a call, all but its last byte, and resolves when its token has been verified and the pipeline waits for the rest. */
async function begin(verifier: Issuer): Promise<RawConnection> {
  const { host, port } = new URL(gate.origin)
  const connection = await openRawConnection(Number(port))
  const head = ['POST /mcp HTTP/1.1', `Host: ${host}`, 'Authorization: Bearer alice', 'Content-Type: application/json']
  connection.write(`${[...head, `Content-Length: ${body.length}`].join('\r\n')}\r\n\r\n${body.slice(0, -1)}`)
  await verifier.asked
  // The pipeline goes on with what was verified before the turn of the event loop ends.
  await setImmediate()
  return connection
}

async function finish(connection: RawConnection): Promise<readonly [number, string]> {
  connection.write(body.slice(-1))
  const answer = await connection.readResponse()
  connection.destroy()
  return [answer.status, answer.body.toString()]
}

describe('a call whose body takes its time', () => {
  it.each([
    ['as long as its token is good', 58_000, {}, 202, ''],
    ['until its token has expired', 60_000, {}, 401, 'token_expired'],
    ['until its token has expired, and its issuer cannot be asked', 60_000, { isAway: true }, 401, 'token_expired'],
    ['until its token was revoked', 58_000, { isRevoked: true }, 401, 'token_invalid'],
  ])('%s', async (_how, time, changes, status, code) => {
    const clock = createFakeClock()
    const verifier = createIssuer(clock)
    gate = await openStepGate({ verifier }, { clock, limits })
    const connection = await begin(verifier)
    clock.advance(time)
    Object.assign(verifier, changes)
    expect(await finish(connection)).toEqual([status, expect.stringContaining(code)])
    expect(gate.calls).toHaveLength(status === 202 ? 1 : 0)
  })

  it('is refused where its token expires while the credential of the MCP server is fetched', async () => {
    const clock = createFakeClock()
    const verifier = createIssuer(clock)
    const find = async (): Promise<string> => {
      clock.advance(LIFETIME_SECONDS * 1000)
      return 'credential'
    }
    gate = await openStepGate({ verifier, credential: { kind: 'identity_provider', find } }, { clock, limits })
    expect(await finish(await begin(verifier))).toEqual([401, expect.stringContaining('token_expired')])
    expect(gate.calls).toEqual([])
  })

  it('has its issuer asked once where only the issuer takes its time', async () => {
    const clock = createFakeClock()
    const issuer = createIssuer(clock)
    let asked = 0
    const slow: TokenVerifier = {
      async verify(token, address) {
        asked += 1
        clock.advance(5000)
        return await issuer.verify(token, address)
      },
    }
    gate = await openStepGate({ verifier: slow }, { clock, limits })
    expect(await finish(await begin(issuer))).toEqual([202, ''])
    expect(asked).toBe(1)
  })
})
