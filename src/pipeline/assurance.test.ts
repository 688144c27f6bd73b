import { afterEach, expect, it } from 'vitest'
import { type Gate, openGate, openPolicy } from '../../test/support/gate.ts'
import { sendMcp } from '../../test/support/mcp-requests.ts'
import type { PolicyEngine } from '../core/decision.ts'
import type { TokenVerifier } from '../core/ports.ts'
import type { Assurance } from '../core/principal.ts'
import type { Route } from '../core/route.ts'

let gate: Gate
afterEach(() => gate.close())

const verifierWith = (assurance: Assurance): TokenVerifier => ({
  verify: () => ({
    issuer: 'https://idp.example.com',
    subject: 'alice',
    clientId: 'app',
    scopes: new Set(),
    groups: [],
    assurance,
    expiresAt: Number.MAX_SAFE_INTEGER,
    acceptedUntil: Number.MAX_SAFE_INTEGER,
    claims: {},
  }),
})

const denyAll: PolicyEngine = {
  ...openPolicy,
  decide: () => ({ effect: 'deny', code: 'policy_denied', ground: 'rule_denied', reason: 'everything is denied' }),
}

async function statusOf(path: '/mcp' | '/sse', assurance: Assurance, legacyClients: Route['legacyClients']): Promise<number> {
  const upstream = {
    send: (_call: unknown, reply: { start(status: number, headers: object): void; end(): void }) => {
      reply.start(200, { 'content-type': 'application/json' })
      reply.end()
    },
    close: async () => undefined,
  }
  gate = await openGate(upstream, { verifier: verifierWith(assurance), legacyClients, policy: denyAll })
  return (await sendMcp(`${gate.origin}${path}`, { method: 'GET', headers: { 'mcp-protocol-version': '2024-11-05' } })).status
}

it.each([
  ['/sse', 'signature_only', 'signature_only', 200],
  ['/sse', 'signature_only', 'enforce', 401],
  ['/mcp', 'signature_only', 'signature_only', 401],
  ['/mcp', 'signature_only', 'enforce', 401],
  ['/sse', 'audience', 'signature_only', 403],
  ['/sse', 'audience', 'enforce', 403],
  ['/mcp', 'audience', 'enforce', 403],
] as const)(
  'on %s a token that proves %s, with legacy clients: %s, gets %i where policy denies everything',
  async (path, assurance, legacyClients, status) => {
    expect(await statusOf(path, assurance, legacyClients)).toBe(status)
  },
)
