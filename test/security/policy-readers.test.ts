// Requests of a valid user with few rights, and the ways in which MCP servers may read them: none reads a call of what is hidden.
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type PolicyStage, startPolicyStage } from '../support/policy-stage.ts'
import { sendRaw } from '../support/raw-client.ts'

let stage: PolicyStage
beforeAll(async () => {
  stage = await startPolicyStage({
    '/access': { access: [{ everyone: true, tools: ['open'], prompts: ['open'], resources: ['note://open/**'] }] },
    '/rules': {
      rules: [
        { tool: 'secret', deny: true, on_deny: 'hide' },
        { prompt: 'secret', deny: true, on_deny: 'hide' },
        { resource: 'note://secret/**', deny: true, on_deny: 'hide' },
        { resource: 'note://open/**', scopes: [] },
      ],
    },
  })
})
afterAll(() => stage.close())

type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
type Members = readonly (readonly [name: string, value: Json])[]

/** What a reader does with the names of an object, and with texts. */
interface Reader {
  /** The value of the member that it takes for this one. */
  find(members: Members, name: string): Json | undefined
  readText(text: string): string
}

const lower = (name: string): string => name.toUpperCase().toLowerCase()
const beforeNul = (text: string): string => text.split('\0', 1)[0] ?? ''
const last = (members: Members, fits: (name: string) => boolean): Json | undefined =>
  members.findLast(([name]) => fits(name))?.[1]
const first = (members: Members, fits: (name: string) => boolean): Json | undefined => members.find(([name]) => fits(name))?.[1]

/** JavaScript, Python; the first of two; Go and cJSON; C; one that trims; NFKC. */
const readers: Readonly<Record<string, Reader>> = {
  last: { find: (members, name) => last(members, (own) => own === name), readText: (text) => text },
  first: { find: (members, name) => first(members, (own) => own === name), readText: (text) => text },
  folding: { find: (members, name) => last(members, (own) => lower(own) === name), readText: (text) => text },
  'folding, the first': { find: (members, name) => first(members, (own) => lower(own) === name), readText: (text) => text },
  NUL: { find: (members, name) => last(members, (own) => beforeNul(own) === name), readText: beforeNul },
}

const METHODS: Readonly<Record<string, string>> = { 'tools/call': 'name', 'prompts/get': 'name', 'resources/read': 'uri' }

/** An object as its members came, repeated ones among them; JSON.parse would keep one. */
class Several {
  readonly list: Members
  constructor(list: Members) {
    this.list = list
  }
}

/** Reads JSON into values whose objects keep all members. */
function parseAll(text: string): unknown {
  let at = 0
  const skip = (): void => {
    while (/[ \t\r\n]/.test(text[at] ?? '')) at++
  }
  const read = (): unknown => {
    skip()
    const opening = text[at]
    if (opening !== '{' && opening !== '[') {
      const [token = ''] = /^(?:"(?:[^"\\]|\\.)*"|[^\s,:\]}]+)/s.exec(text.slice(at)) ?? []
      at += token.length
      return JSON.parse(token)
    }
    const closing = opening === '{' ? '}' : ']'
    const parts: unknown[] = []
    at++
    for (skip(); text[at] !== closing; skip()) {
      if (text[at] === ',' || text[at] === ':') at++
      else parts.push(read())
    }
    at++
    if (opening === '[') return parts
    return new Several(
      parts.flatMap((part, index) => (index % 2 === 0 ? [[String(part), parts[index + 1] as Json] as const] : [])),
    )
  }
  return read()
}

/** Targets that a reader finds in calls of a body, in batches of batches as well. */
function listTargets(value: unknown, { find, readText }: Reader): readonly string[] {
  if (Array.isArray(value)) return value.flatMap((item) => listTargets(item, { find, readText }))
  if (!(value instanceof Several)) return []
  const method = find(value.list, 'method')
  const params: unknown = find(value.list, 'params')
  if (typeof method !== 'string' || !(params instanceof Several)) return []
  const meant = lower(readText(method)).trim()
  const key = METHODS[meant]
  const found = key === undefined ? undefined : find(params.list, key)
  return typeof found === 'string' ? [`${meant} ${readText(found)}`] : []
}

const isSecret = (call: string): boolean => /^(?:tools\/call|prompts\/get) secret$|^resources\/read note:\/\/secret\//.test(call)

const spell = (name: string): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 30, arbitrary: fc.constant(JSON.stringify(name)) },
    {
      weight: 3,
      arbitrary: fc.constantFrom(
        JSON.stringify(name.toUpperCase()),
        JSON.stringify(`${name}\0x`),
        JSON.stringify(` ${name}`),
        `"\\u00${name.charCodeAt(0).toString(16)}${name.slice(1)}"`,
        JSON.stringify(name.replace('s', '\u017f').replace('k', '\u212a')),
        JSON.stringify(`${name}s`),
      ),
    },
  )

const target = fc.oneof(
  ...['open', 'secret', 'note://open/a', 'note://secret/a'].map(spell),
  fc.constantFrom('null', '["secret"]', '{"name":"secret"}', '"note://open/../secret/a"', '"note://open/%2e%2e/secret/a"'),
)
const method = fc.oneof(...Object.keys(METHODS).map(spell), spell('ping'), spell('notifications/initialized'))
const member = (name: string, value: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.tuple(spell(name), value).map(([key, text]) => `${key}:${text}`)
const object = (...members: fc.Arbitrary<string>[]): fc.Arbitrary<string> =>
  fc
    .tuple(
      ...members,
      fc.oneof({ weight: 6, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: fc.tuple(fc.oneof(...members)) }),
    )
    .map((parts) => `{${parts.flat().join(',')}}`)

const params = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.oneof(
      object(member('name', target)),
      object(member('uri', target)),
      object(member('name', target), member('uri', target)),
    ),
  },
  { weight: 1, arbitrary: fc.constantFrom('["secret"]', '"{\\"name\\":\\"secret\\"}"', 'null', '{}') },
)
const message = object(fc.constant('"jsonrpc":"2.0"'), fc.constant('"id":1'), member('method', method), member('params', params))
const body = fc.oneof(
  { weight: 6, arbitrary: message },
  { weight: 2, arbitrary: fc.array(message, { minLength: 1, maxLength: 3 }).map((all) => `[${all.join(',')}]`) },
  { weight: 1, arbitrary: message.map((one) => `[[${one}]]`) },
  { weight: 1, arbitrary: fc.tuple(message, message).map((all) => all.join('\n')) },
)
const revision = fc.constantFrom(undefined, '2024-11-05', '2025-03-26', '2025-11-25', '2026-07-28')
const headers = fc.record(
  {
    'Mcp-Method': fc.constantFrom(...Object.keys(METHODS), 'ping'),
    'Mcp-Name': fc.constantFrom('open', 'secret', 'note://secret/a', '=?base64?c2VjcmV0?='),
  },
  { requiredKeys: [] },
)

async function send(path: string, text: string, fields: Readonly<Record<string, string>>): Promise<void> {
  const lines = [
    `POST ${path} HTTP/1.1`,
    `Host: localhost:${stage.proxy.port}`,
    `Authorization: Bearer ${stage.token}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(text)}`,
    ...Object.entries(fields).map(([name, value]) => `${name}: ${value}`),
  ]
  await sendRaw(stage.proxy.port, `${lines.join('\r\n')}\r\n\r\n${text}`)
}

describe.each(['/access', '/rules'])('at %s', (path) => {
  it('no request that passes is a call of what is hidden, however an MCP server reads body and headers', {
    timeout: 60_000,
  }, async () => {
    let passed = 0
    const property = fc.asyncProperty(body, revision, headers, async (text, version, mirrored) => {
      const before = stage.upstream.requests.length
      await send(path, text, { ...mirrored, ...(version !== undefined && { 'MCP-Protocol-Version': version }) })
      for (const request of stage.upstream.requests.slice(before)) {
        passed++
        const arrived = (await request.body).toString('utf8')
        const named = Object.entries(readers).flatMap(([name, reader]) =>
          listTargets(parseAll(arrived), reader).map((found) => [name, found] as const),
        )
        expect(named.filter(([, found]) => isSecret(found))).toEqual([])
        const { 'mcp-method': meant = '', 'mcp-name': told = '' } = request.headers
        expect(isSecret(`${meant} ${told === '=?base64?c2VjcmV0?=' ? 'secret' : told}`)).toBe(false)
      }
    })
    await fc.assert(property, { numRuns: 600 })
    expect(passed).toBeGreaterThan(20)
  })
})
