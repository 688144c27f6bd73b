import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import type { Plan } from '../core/plan/plan.ts'
import { type LoadOptions, loadConfigText, loadConfigValue } from './load.ts'
import { migrateConfigText } from './migrate.ts'
import { ConfigError, formatProblem } from './problem/problem.ts'
import { createJsonSchema } from './schema/json-schema.ts'
import type { ConfigInput } from './schema/schema.ts'

const options: LoadOptions = { env: { KEY: 'key of tests.'.repeat(4) }, directory: '.', terminal: false }

/** What a loader may do with a value: give a plan, or say what is wrong with it. */
function checkOutcome(load: () => unknown): void {
  try {
    load()
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    expect(error.problems.length).toBeGreaterThan(0)
    for (const problem of error.problems) {
      expect(formatProblem(problem).split('\n')).toHaveLength(3)
      expect(problem.fix).not.toBe('')
    }
  }
}

/** Words that mean something in one of the formats, so that arbitrary values get deep into the checks. */
const words = [
  ...JSON.stringify(createJsonSchema()).matchAll(/"([a-z_]{2,})":/g),
  ...'base_url listen_port paths sse messages streamable_http scopes_supported protected_resource_metadata default path jwks_url asgardeo demo stdio path_mapping tools/call required_scopes'.matchAll(
    /(\S+)/g,
  ),
].map((match) => match[1] ?? '')

const leaf = fc.oneof(
  fc.constantFrom(
    'https://idp.example.com',
    'http://localhost:8000/mcp',
    '/mcp',
    '/sse',
    'mcp:read',
    '*',
    '',
    'sse',
    'KEY',
    'header',
    'RS256',
  ),
  fc.string(),
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
)
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { depthSize: 'medium', withCrossShrink: true },
    leaf,
    fc.array(tie('tree'), { maxLength: 4 }),
    fc.dictionary(fc.oneof(fc.constantFrom(...words, '__proto__', 'constructor'), fc.string()), tie('tree'), { maxKeys: 8 }),
  ),
}))

describe('any value', () => {
  it('is a configuration or has mistakes that can be told', () => {
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), tree), (value) => checkOutcome(() => loadConfigValue(value, options))),
      { numRuns: 400 },
    )
  })

  it('has all its mistakes told together with those of a configuration that it damages', () => {
    const damaged = fc.tuple(fc.constantFrom('servers', 'issuers', 'listen', 'cors', 'limits', 'public_url', 'session_key'), tree)
    fc.assert(
      fc.property(damaged, tree, ([key, value], server) =>
        checkOutcome(() =>
          loadConfigValue(
            { issuers: ['https://idp.example.com'], servers: [{ path: '/mcp', upstream: server, rules: value }], [key]: value },
            options,
          ),
        ),
      ),
      { numRuns: 300 },
    )
  })

  it('in the format of the Go proxy is translated, or refused with reasons', () => {
    const go = fc.record({
      base_url: fc.constant('http://localhost:8000'),
      authorization_servers: fc.constant(['https://idp.example.com']),
      scopes_supported: tree,
    })
    fc.assert(
      fc.property(
        go,
        fc.constantFrom('paths', 'default', 'cors', 'path_mapping', 'asgardeo', 'stdio'),
        tree,
        (value, key, part) => checkOutcome(() => loadConfigValue({ ...value, [key]: part }, options)),
      ),
      { numRuns: 300 },
    )
  })

  it('as a text is read, or refused with reasons', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string({ unit: fc.constantFrom(...'{}[]:,-#&*!|>\'"%@`? \n\ta') }),
          tree.map((value) => stringify(value)),
        ),
        (text) => {
          checkOutcome(() => loadConfigText(text, options))
          checkOutcome(() => migrateConfigText(text))
        },
      ),
      { numRuns: 400 },
    )
  })
})

const scope = fc.stringMatching(/^[a-z]{1,8}(:[a-z]{1,8})?$/).filter((text) => text !== 'offline_access')
const scopes = fc.uniqueArray(scope, { maxLength: 4 })
const seconds = fc.integer({ min: 1, max: 3600 })
const name = fc.stringMatching(/^[a-z][a-z0-9_-]{0,10}$/)
const upstream = fc.oneof(
  fc.constant('http://localhost:9001/mcp'),
  fc.record({
    url: fc.constant('https://mcp.internal/x?y=z'),
    response_timeout_seconds: seconds,
    headers: fc.constant({ 'X-Api-Key': { env: 'KEY' }, 'X-A': 'b' }),
  }),
)
const rule = fc.oneof(
  ...(['tool', 'prompt', 'resource'] as const).map((kind) => fc.record({ [kind]: name, scopes })),
  fc.record({ method: fc.constantFrom('tools/call', 'tools/*', 'ping'), scopes }),
)
const issuer = fc.oneof(
  fc.webUrl({ validSchemes: ['https'] }),
  fc.record(
    {
      issuer: fc.webUrl({ validSchemes: ['https'] }),
      clock_tolerance_seconds: fc.integer({ min: 0, max: 60 }),
      accept_id_tokens: fc.boolean(),
    },
    { requiredKeys: ['issuer'] },
  ),
)
const issuers = fc.uniqueArray(issuer, {
  minLength: 1,
  maxLength: 3,
  selector: (item) => (typeof item === 'string' ? item : item.issuer),
})

/** Valid configurations. Paths and names are made different by their place. */
const config: fc.Arbitrary<ConfigInput> = fc
  .record(
    {
      public_url: fc.constantFrom('https://mcp.example.com', 'http://localhost:8080'),
      listen: fc.record({ port: fc.integer({ min: 1, max: 8999 }) }),
      allowed_hosts: fc.uniqueArray(fc.domain(), { maxLength: 2 }),
      limits: fc.record({ body_bytes: fc.integer({ min: 1024, max: 1 << 20 }), headers_seconds: seconds }, { requiredKeys: [] }),
      session_key: fc.constant({ env: 'KEY' }),
      issuers,
      servers: fc.array(
        fc.record(
          {
            upstream,
            audience: fc.uniqueArray(
              fc.string({ minLength: 1 }).filter((text) => text.trim() !== ''),
              { maxLength: 2 },
            ),
            scopes,
            rules: fc.array(rule, { maxLength: 4 }),
            unlisted_operations: fc.constantFrom('permit', 'deny'),
            legacy_clients: fc.constantFrom('enforce', 'signature_only', 'reject'),
          },
          { requiredKeys: ['upstream'] },
        ),
        { minLength: 1, maxLength: 4 },
      ),
    },
    { requiredKeys: ['issuers', 'servers'] },
  )
  .map(
    (value) =>
      ({ ...value, servers: value.servers.map((server, index) => ({ ...server, path: `/server-${index}` })) }) as ConfigInput,
  )

function withoutKey({ sessionKey, ...rest }: Plan): unknown {
  return rest
}

describe('a valid configuration', () => {
  it('is accepted, and means the same as a value, as YAML and as JSON', () => {
    fc.assert(
      fc.property(config, (value) => {
        const { plan } = loadConfigValue(value, options)
        expect(withoutKey(loadConfigText(stringify(value), options).plan)).toEqual(withoutKey(plan))
        expect(withoutKey(loadConfigText(JSON.stringify(value), options).plan)).toEqual(withoutKey(plan))
      }),
      { numRuns: 60 },
    )
  })

  it('names every path once, below the public URL', () => {
    fc.assert(
      fc.property(config, (value) => {
        const { plan } = loadConfigValue(value, options)
        const endpoints = plan.servers.flatMap((server) => server.endpoints)
        expect(new Set(endpoints.map(({ path }) => path)).size).toBe(endpoints.length)
        for (const { resource, path } of endpoints) expect(resource).toBe(plan.publicUrl + path)
      }),
      { numRuns: 40 },
    )
  })
})
