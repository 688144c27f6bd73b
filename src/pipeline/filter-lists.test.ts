import { afterEach, expect, it, vi } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import type { Gate } from '../../test/support/gate.ts'
import { sendMcp } from '../../test/support/mcp-requests.ts'
import { accessOf, createPolicyPlan, createPrincipal } from '../../test/support/policies.ts'
import { openStepGate } from '../../test/support/step.ts'
import type { ListFacts, PolicyEngine } from '../core/decision.ts'
import { createHeldMemory } from '../core/held-memory.ts'
import type { Principal } from '../core/principal.ts'
import type { Reply } from '../core/reply.ts'
import { createPolicy } from '../policy/policy.ts'

let gate: Gate
afterEach(() => gate.close())

const policy = createPolicy(createPolicyPlan(accessOf({ tools: ['open'] })))
const verifierFor = (given: Partial<Principal>) => ({ verify: () => createPrincipal(given) })
const body = { jsonrpc: '2.0', id: 1, method: 'tools/list' }
const page = '{"id":1,"result":{"tools":[{"name":"open"},{"name":"secret"}]}}'

const answerWith = (text: string) => (_call: unknown, reply: Reply) => {
  reply.start(200, { 'content-type': 'application/json' })
  reply.write(Buffer.from(text))
  reply.end()
}

it.each([
  ['audience', '{"id":1,"result":{"tools":[{"name":"open"}]}}'],
  ['signature_only', page],
] as const)('filters unless a signature is enough, since nothing is refused there either: %s', async (assurance, text) => {
  const verifier = verifierFor({ assurance })
  gate = await openStepGate({ policy, verifier, legacyClients: 'signature_only' }, {}, answerWith(page))
  const headers = { 'mcp-protocol-version': '2024-11-05' }
  const response = await sendMcp(`${gate.origin}/sse`, { method: 'GET', headers })
  expect(await response.text()).toBe(text)
})

it('asks policy with the facts of the request, anew for each result', async () => {
  const asked: ListFacts[] = []
  const engine: PolicyEngine = {
    decide: () => ({ effect: 'permit' }),
    createListFilter(_principal, facts) {
      asked.push(facts)
      return { shows: () => true }
    },
  }
  gate = await openStepGate({ policy: engine }, {}, answerWith(`[${page},${page}]`))
  await sendMcp(`${gate.origin}/mcp`, { body: [body, { ...body, id: 2 }], headers: { 'mcp-protocol-version': '2025-03-26' } })
  expect(asked.length).toBe(3)
  for (const { path, server, revision, address, now } of asked)
    expect([path, server, revision, address, typeof now()]).toEqual(['/mcp', 'test', '2025-03-26', '127.0.0.1', 'number'])
})

it('refuses an answer for which there is no memory, as an answer of the upstream that cannot be served now', async () => {
  const heldMemory = createHeldMemory(1024)
  heldMemory.open('test', undefined).take(600)
  gate = await openStepGate({ policy }, { heldMemory }, answerWith(`${page}${' '.repeat(100_000)}`))
  const response = await sendMcp(`${gate.origin}/mcp`, { body })
  expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5'])
  expect(await response.json()).toMatchObject({ id: 1, error: { data: { error: 'upstream_busy' } } })
})

it('does not wait for ever for an answer that must be complete to be filtered: it ends with its token, as others do', async () => {
  const clock = createFakeClock()
  const replies: Reply[] = []
  const answer = (_call: unknown, reply: Reply): void => {
    replies.push(reply)
    reply.start(200, { 'content-type': 'application/json' })
    reply.write(Buffer.from('{"id":1,'))
  }
  const acceptedUntil = clock.wall() / 1000 + 60
  gate = await openStepGate({ policy, verifier: verifierFor({ acceptedUntil }) }, { clock }, answer)
  const response = sendMcp(`${gate.origin}/mcp`, { body })
  await vi.waitUntil(() => replies.length === 1)
  clock.advance(6 * 60_000 + 1000)
  expect((await response).status).toBe(401)
})
