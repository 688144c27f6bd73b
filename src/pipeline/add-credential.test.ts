import { afterEach, expect, it } from 'vitest'
import { type Gate, openGate, openPolicy } from '../../test/support/gate.ts'
import { sendMcp } from '../../test/support/mcp-requests.ts'
import type { PolicyEngine } from '../core/decision.ts'
import { ProxyError } from '../core/errors.ts'
import type { Upstream } from '../core/ports.ts'
import type { Principal } from '../core/principal.ts'
import type { Caller, UpstreamCredential } from '../core/upstream-credential.ts'

let gate: Gate
afterEach(() => gate.close())

/** Calls through a gate with this credential; returns the status and the values of `authorization` that the upstream saw, call by call. */
async function callWith(credential: UpstreamCredential, policy: PolicyEngine = openPolicy, user = 'alice~app') {
  const seen: string[][] = []
  const upstream: Upstream = {
    send: ({ headers }, reply) => {
      seen.push(headers.filter((_, index) => headers[index - 1] === 'authorization'))
      reply.start(202, {})
      reply.end()
    },
    close: async () => undefined,
  }
  gate = await openGate(upstream, { credential, policy })
  const { status } = await sendMcp(`${gate.origin}/mcp`, { user, body: { jsonrpc: '2.0', id: 1, method: 'ping' } })
  return { status, seen }
}

it('an upstream without a credential gets nothing of the caller’s', async () => {
  expect(await callWith({ kind: 'none' })).toEqual({ status: 202, seen: [[]] })
})

it('an upstream that is configured to get the access token gets it letter by letter, once', async () => {
  expect(await callWith({ kind: 'access_token' })).toEqual({ status: 202, seen: [['Bearer alice~app']] })
})

it('an upstream that is configured to get the identity provider’s token gets the caller’s, and not the access token', async () => {
  const find = async ({ principal: { subject } }: Caller) => `token-of-${subject}-there`
  expect(await callWith({ kind: 'identity_provider', find })).toEqual({ status: 202, seen: [['Bearer token-of-alice-there']] })
})

it('a caller whose session with the identity provider is over gets 401, and the upstream no call', async () => {
  const find = () => Promise.reject(new ProxyError('token_invalid', { reason: 'identity_provider_session_ended' }))
  expect(await callWith({ kind: 'identity_provider', find })).toEqual({ status: 401, seen: [] })
})

it('no credential is asked for to serve a call that policy denies', async () => {
  const asked: Principal[] = []
  const find = async ({ principal }: Caller) => {
    asked.push(principal)
    return 'token'
  }
  const policy: PolicyEngine = {
    ...openPolicy,
    decide: () => ({ effect: 'deny', code: 'policy_denied', ground: 'rule_denied', reason: 'denied' }),
  }
  expect(await callWith({ kind: 'identity_provider', find }, policy)).toEqual({ status: 403, seen: [] })
  expect(asked).toEqual([])
})

it.each([
  ['a token of the proxy itself', true, 202, [['Bearer of-the-proxy']]],
  ['one in exchange for that of its caller', false, 403, []],
])(
  'a caller with an access key reaches an MCP server that gets %s only if nothing of the caller is needed',
  async (_, isShared, status, seen) => {
    const find = async () => 'of-the-proxy'
    const credential: UpstreamCredential = { kind: 'delegated', isShared, find, forget: () => undefined }
    expect(await callWith(credential, openPolicy, 'omap_of-a-job')).toEqual({ status, seen })
  },
)
