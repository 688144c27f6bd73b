import { generateKeyPairSync } from 'node:crypto'
import { createConfiguredKeys } from '../src/assertion/assertion-keys.ts'
import { createCallerIdentity } from '../src/assertion/caller-identity.ts'
import type { CallerIdentity } from '../src/core/caller-identity.ts'
import { systemClock } from '../src/core/clock.ts'
import type { Principal } from '../src/core/principal.ts'
import type { RoutedCall } from '../src/core/route.ts'
import { addIdentity } from '../src/pipeline/add-identity.ts'
import { callTool, createPrincipal } from '../test/support/policies.ts'
import { calledTool } from './plan.ts'

/**
 * What it costs to tell an MCP server who calls by a signed assertion, part by part: processor time, the least of nine. A whole call takes some
 * forty microseconds, and the aim is 3 % of it. What the longer header section costs is in whole calls (`pairs.ts`).
 */

const USERS = 1000
const CALLS = 100_000
/** Each is used until a tenth of its life is left. */
const SECONDS = 300 * 0.9

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const keys = createConfiguredKeys([{ privateKey: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString() }])
const issuer = 'https://mcp.example.com'
const identity = createCallerIdentity({
  plan: {
    assertion: {
      ...{ issuer, audience: undefined, header: 'authorization', seconds: 300, operation: false, keys: undefined },
      claims: ['email', 'groups'],
    },
    plainHeaders: [],
    variables: [],
    metaClaims: undefined,
  },
  ...{ issuer, upstreamUrl: 'http://127.0.0.1:8000/mcp', keys, clock: systemClock },
})

const headers = ['content-type', 'application/json', 'accept', 'application/json, text/event-stream', 'user-agent', 'bench']
const createCall = (principal: Principal, told: CallerIdentity | undefined): RoutedCall =>
  ({
    principal,
    operations: [callTool(calledTool)],
    headers,
    body: Buffer.from('{}'),
    route: { identity: told },
  }) as unknown as RoutedCall
const createCalls = (told: CallerIdentity | undefined): RoutedCall[] =>
  Array.from({ length: USERS }, (_, index) =>
    createCall(
      createPrincipal({
        subject: `user-${index}`,
        groups: ['staff'],
        claims: { email: `user-${index}@example.com`, email_verified: true },
      }),
      told,
    ),
  )

const plain = createCalls(undefined)
const told = createCalls(identity)
const signing = measure(USERS, () => createCalls(identity), addIdentity)
const each = measure(CALLS, () => told, addIdentity)
const without = measure(CALLS, () => plain, addIdentity)
console.log(`a call whose assertion is there: ${(each - without).toFixed(2)} µs`)
console.log(`an assertion that is signed: ${signing.toFixed(1)} µs`)
for (const rate of [0.1, 1, 10]) {
  const sum = each - without + signing / Math.max(1, rate * SECONDS)
  console.log(`together, a user who makes ${rate} calls a second: ${sum.toFixed(2)} µs a call`)
}

function measure(count: number, create: () => readonly RoutedCall[], run: (call: RoutedCall) => unknown): number {
  const rounds = Array.from({ length: 9 }, () => {
    const calls = create()
    const before = process.cpuUsage()
    for (let index = 0; index < count; index++) run(calls[index % calls.length] as RoutedCall)
    const { user, system } = process.cpuUsage(before)
    return (user + system) / count
  })
  return Math.min(...rounds)
}
