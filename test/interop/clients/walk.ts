// The way that every client goes: connect, make itself known, sign in, list, call, and meet a 403 for a scope that it has not got.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { createEnvironment, type Environment } from './environment.ts'
import type { Visit } from './person.ts'
import { findRow, type WalkedName } from './table.ts'

export interface Answer {
  readonly succeeded: boolean
  /** What the client makes of the result, or of the error. */
  readonly text: string
}

/** A client that is connected, or connects when it is used. */
export interface WalkedClient {
  listTools(): Promise<readonly string[]>
  callTool(tool: 'echo' | 'admin_reset' | 'count_slowly', parameters: Readonly<Record<string, string>>): Promise<Answer>
}

export interface Walk {
  readonly client: WalkedName
  readonly version: string
  /** Whether it is installed. */
  readonly isThere: boolean
  open(environment: Environment): Promise<WalkedClient>
}

/** Each client has several steps, which take up to tens of seconds on a busy machine. */
const WALK_TIMEOUT = 240_000

export function describeWalk({ client: name, version, isThere, open }: Walk): void {
  describe.skipIf(!isThere)(name, () => {
    let environment: Environment
    let client: WalkedClient
    beforeAll(async () => {
      environment = await createEnvironment()
    })
    afterAll(() => environment?.close())

    it(
      'makes itself known, signs its user in once, lists the tools and calls one',
      async () => {
        client = await open(environment)
        expect(await client.listTools()).toEqual(expect.arrayContaining(['admin_reset', 'echo']))
        expect(await echo(client, 'Grüße, 世界')).toEqual({ succeeded: true, text: expect.stringContaining('Echo: Grüße, 世界') })
        expect(environment.person).toMatchObject({ visits: { length: 1 }, failures: [] })
      },
      WALK_TIMEOUT,
    )

    it('is as the table says: its version, its revision, and how it makes itself known', () => {
      const row = findRow(name)
      expect({ version, revision: findRevision(environment) }).toEqual({ version: row.version, revision: row.revision })
      expect(row.registration).toContain(describeRegistration(environment.person.visits[0]))
    })

    it(
      'does what the table says after a 403 for a scope, and goes on to call what it may',
      async () => {
        const { visits, failures } = environment.person
        const reset = await client.callTool('admin_reset', {})
        const next = await echo(client, 'again')
        expect(next).toEqual({ succeeded: true, text: expect.stringContaining('Echo: again') })
        const seen = () => describeRefusal({ wasRefused: wasRefused(environment), reset, visits })
        // A client that does not wait for its browser may be done before it.
        await vi.waitFor(() => expect(seen()).toBe(findRow(name).refusal))
        expect(failures).toEqual([])
      },
      WALK_TIMEOUT,
    )
  })

  // Those that ask for more themselves need no such help.
  const asksItself = /^(?:asks its user|meets none)/.test(findRow(name).refusal)
  if (asksItself) return
  describe.skipIf(!isThere)(`${name}, where \`scopes_supported\` names the scope`, () => {
    it(
      'asks for it at the first sign-in, and calls the tool',
      async () => {
        const environment = await createEnvironment({ servers: (upstream) => [{ ...SCOPED, upstream }] })
        try {
          const client = await open(environment)
          await client.listTools()
          expect((await client.callTool('admin_reset', {})).succeeded).toBe(true)
          expect(environment.person).toMatchObject({ visits: { length: 1 }, failures: [] })
        } finally {
          await environment.close()
        }
      },
      WALK_TIMEOUT,
    )
  })
}

const SCOPED = {
  name: 'example',
  path: '/mcp',
  scopes: ['mcp:tools'],
  scopes_supported: ['mcp:tools', 'mcp:admin'],
  rules: [{ tool: 'admin_*', scopes: ['mcp:admin'] }],
}

function echo(client: WalkedClient, message: string): Promise<Answer> {
  return client.callTool('echo', { message })
}

/** Of the calls of tools, as the proxy saw them. */
function findRevision({ stage }: Environment): unknown {
  return findCall(stage.proxy.log.records(), 'echo')?.revision
}

function wasRefused({ stage }: Environment): boolean {
  return findCall(stage.proxy.log.records(), 'admin_reset')?.code === 'scope_insufficient'
}

function findCall(records: readonly Record<string, unknown>[], tool: string): Record<string, unknown> | undefined {
  return records.find(({ operations }) => Array.isArray(operations) && operations.includes(`tools/call ${tool}`))
}

function describeRegistration(visit: Visit | undefined): string {
  return visit?.clientId.startsWith('https://') ? 'metadata document' : 'registration'
}

interface Refusal {
  readonly wasRefused: boolean
  /** What became of the call that needs more. */
  readonly reset: Answer
  readonly visits: readonly Visit[]
}

/** The words of the table. What fits none of them is told as it is. */
function describeRefusal({ wasRefused, reset, visits }: Refusal): string {
  const [first, ...later] = visits
  const asked = later.map(({ scopes }) => scopes.includes('mcp:admin'))
  const seen = JSON.stringify([wasRefused, reset.succeeded, first?.scopes.includes('mcp:admin'), asked])
  return WORDS[seen] ?? `${seen}: ${reset.text}`
}

/** By: was it refused, did the call succeed in the end, did the first sign-in ask for the scope, did each later one. */
const WORDS: Readonly<Record<string, string>> = {
  '[false,true,true,[]]': 'meets none: asks for all scopes of the metadata at once',
  '[true,true,false,[true]]': 'asks its user, and goes on',
  '[true,false,false,[]]': 'shows the error, stays signed in',
  '[true,false,false,[true,false]]': 'opens the browser without waiting, then signs in anew without the scope',
}
