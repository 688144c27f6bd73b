// The proxy must be invisible to the official conformance suite: every check comes out as it does without the proxy.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ConfigInput } from '../../src/config/schema/schema.ts'
import { startTestProxy, type TestProxy } from '../support/proxy.ts'
import { type IssuerOptions, startIssuer } from '../support/tokens.ts'
import { EXPECTED_FAILURES } from './expected-failures.ts'
import { startMutatingProxy } from './mutating-proxy.ts'
import { type SuiteServer, startSuiteServer } from './server/suite-server.ts'
import { type Check, countChecks, findUnpassed, formatCheck, REVISIONS, type Revision, runServerScenarios } from './suite.ts'

/** How many checks the suite has for each revision: were it to skip some, all comparisons would still agree. */
const CHECKS: Readonly<Record<Revision, number>> = { '2025-03-26': 3, '2025-06-18': 56, '2025-11-25': 84, '2026-07-28': 152 }

let upstream: SuiteServer
/** What the suite finds without a proxy. */
const direct = new Map<Revision, Check[]>()

beforeAll(async () => {
  upstream = await startSuiteServer()
  for (const revision of REVISIONS) direct.set(revision, await runServerScenarios(upstream.url, revision))
})

afterAll(() => upstream.close())

function findDirect(revision: Revision): Check[] {
  return direct.get(revision) ?? []
}

describe('the MCP server by itself', () => {
  it.each(REVISIONS)('passes every check of %s, but for the expected failures', (revision) => {
    const checks = findDirect(revision)
    const unpassed = findUnpassed(checks)
    const reasons = unpassed.map(({ id, errorMessage }) => `${id}: ${errorMessage}`).join('\n')
    expect(unpassed.map(formatCheck), reasons).toEqual(EXPECTED_FAILURES[revision])
    expect(checks.filter(({ status }) => status !== 'INFO')).toHaveLength(CHECKS[revision])
  })
})

interface Protection {
  readonly proxy: TestProxy
  readonly token: string
  close(): Promise<void>
}

type Policy = Partial<Pick<ConfigInput['servers'][number], 'scopes' | 'rules' | 'unlisted_operations'>>

/** Puts the proxy before the MCP server, with an issuer of its own and a token that a client would have got there. */
async function protect(
  policy: Policy,
  algorithm: NonNullable<IssuerOptions['algorithm']> | 'opaque' = 'RS256',
): Promise<Protection> {
  const isOpaque = algorithm === 'opaque'
  const issuer = await startIssuer(isOpaque ? {} : { algorithm })
  const introspection = { client_id: 'proxy', client_secret: { env: 'INTROSPECTION_SECRET' } }
  const proxy = await startTestProxy(
    {
      issuers: [{ issuer: issuer.issuer, ...(isOpaque && { introspection }) }],
      servers: [{ name: 'suite', path: '/mcp', upstream: upstream.url, ...policy }],
    },
    { INTROSPECTION_SECRET: 'between the proxy and its issuer' },
  )
  const audience = `${proxy.origin}/mcp`
  issuer.setIntrospection((form) => ({
    active: form.get('token') === OPAQUE_TOKEN,
    iss: issuer.issuer,
    sub: 'alice',
    client_id: 'conformance',
    aud: audience,
    scope: 'mcp:tools',
    exp: Math.floor(Date.now() / 1000) + 3600,
  }))
  return {
    proxy,
    token: isOpaque ? OPAQUE_TOKEN : await issuer.mint({ claims: { aud: audience } }),
    close: async () => {
      await proxy.close()
      await issuer.close()
    },
  }
}

const OPAQUE_TOKEN = 'an-opaque-token.nobody-can-read'

async function runThrough({ proxy, token }: Protection, revision: Revision): Promise<Check[]> {
  return runServerScenarios(`${proxy.origin}/mcp`, revision, { token: { origin: proxy.origin, value: token } })
}

describe.each(['RS256', 'ES256', 'EdDSA', 'opaque'])('through the proxy, with a token of kind %s', (kind) => {
  let protection: Protection
  beforeAll(async () => {
    protection = await protect({ scopes: ['mcp:tools'] }, kind)
  })
  afterAll(() => protection.close())

  it.each(REVISIONS)('every check of %s comes out as without it', async (revision) => {
    const checks = await runThrough(protection, revision)
    expect(countChecks(checks)).toEqual(countChecks(findDirect(revision)))
    // Nothing got through without a token, and nothing was refused for want of one.
    const codes = protection.proxy.log.records().map(({ code }) => code)
    expect(codes).not.toContain('token_missing')
  })
})

describe('through the proxy, with a policy', () => {
  it.each(REVISIONS)('that opens everything rule by rule, every check of %s comes out as without it', async (revision) => {
    const families = ['tools/*', 'prompts/*', 'resources/*', 'completion/*', 'logging/*', 'subscriptions/*', 'unknown/*']
    const rules = families.map((method) => ({ method, scopes: [] }))
    const protection = await protect({ rules, unlisted_operations: 'deny' })
    try {
      expect(countChecks(await runThrough(protection, revision))).toEqual(countChecks(findDirect(revision)))
    } finally {
      await protection.close()
    }
  })

  it.each(['2025-11-25', '2026-07-28'] as const)(
    'that withholds one tool, only the checks of that tool in %s come out otherwise',
    async (revision) => {
      const protection = await protect({ rules: [{ tool: 'test_image_content', scopes: ['mcp:images'] }] })
      try {
        const [before, after] = [countChecks(findDirect(revision)), countChecks(await runThrough(protection, revision))]
        const changed = Object.keys({ ...before, ...after }).filter((key) => before[key] !== after[key])
        expect(changed.filter((key) => !key.startsWith('server-tools-call-image › '))).toEqual([])
        expect(changed).toContain('server-tools-call-image › tools-call-image › ToolsCallImage › SUCCESS')
        expect(changed).toContain('server-tools-call-image › tools-call-image › ToolsCallImage › FAILURE')
      } finally {
        await protection.close()
      }
    },
  )
})

describe('the comparison notices a proxy', () => {
  it.each([
    ['that keeps the session id to itself', '2025-11-25', 'drop-session-id'],
    ['that forgets where a stream was broken off', '2025-11-25', 'drop-last-event-id'],
    ['that knows no DELETE', '2025-11-25', 'no-delete'],
    ['that drops Mcp-Name', '2026-07-28', 'drop-name'],
    ['that drops MCP-Protocol-Version', '2026-07-28', 'drop-version'],
  ] as const)('%s', async (_what, revision, fault) => {
    const faulty = await startMutatingProxy(upstream.port, fault)
    try {
      const checks = await runServerScenarios(faulty.url, revision)
      expect(countChecks(checks)).not.toEqual(countChecks(findDirect(revision)))
    } finally {
      await faulty.close()
    }
  })
})
