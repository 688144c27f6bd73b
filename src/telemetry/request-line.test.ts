import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { Principal } from '../core/principal.ts'
import type { RequestRecord } from '../core/record.ts'
import { addParties } from '../core/request-parties.ts'
import { createLog } from './log.ts'
import { createRequestLog } from './request-line.ts'

function lineOf(changes: Partial<RequestRecord>, format: 'json' | 'pretty' = 'json'): string {
  const lines: string[] = []
  const log = createLog({ level: 'info', format }, { write: (line: string) => void lines.push(line) })
  createRequestLog(log)({
    requestId: 'r-1',
    trace: undefined,
    method: 'POST',
    path: '/mcp',
    server: 'files',
    principal: undefined,
    parties: undefined,
    operations: [],
    outcomes: undefined,
    revision: undefined,
    askedRevision: undefined,
    decision: undefined,
    decidedBy: undefined,
    wouldDeny: undefined,
    code: undefined,
    reason: undefined,
    cause: undefined,
    missingScopes: undefined,
    status: 200,
    clientAddress: '127.0.0.1',
    remoteAddress: '127.0.0.1',
    startedAt: performance.now(),
    headersAfter: undefined,
    duration: 1.239,
    ...changes,
  })
  return lines.join('')
}

function createPrincipal(subject: string, clientId: string): Principal {
  const scopes = new Set<string>()
  return {
    issuer: 'https://i',
    subject,
    clientId,
    scopes,
    groups: [],
    assurance: 'audience',
    expiresAt: 1,
    acceptedUntil: 1,
    claims: {},
  }
}

/** Fields that the documentation knows, by the tables of its section on logs. */
function listDocumentedFields(): string[] {
  const page = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8')
  const section = page.slice(page.indexOf('## Logs'), page.indexOf('## Traces'))
  const cells = [...section.matchAll(/^\| (`.*?) \|/gm)].map(([, cell = '']) => cell)
  return cells.flatMap((cell) => [...cell.matchAll(/`(\w+)`/g)].map(([, field = '']) => field))
}

const OPENING = [{ kind: 'request', method: 'initialize', targetKind: undefined, target: undefined, id: '1' }] as const

describe('the line of a request', () => {
  it('has the fields that the documentation lists, and no other', () => {
    const line = lineOf({
      trace: { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7', isSampled: true },
      principal: { ...createPrincipal('alice', 'app'), accessKey: { name: 'nightly', id: '0f' } },
      operations: [{ kind: 'request', method: 'tools/call', targetKind: 'tool', target: 'x', id: '1' }],
      askedRevision: '2025-11-25',
      decision: 'deny',
      decidedBy: 'rules[1]',
      wouldDeny: ['rules[2]'],
      code: 'request_malformed',
      reason: 'syntax',
      cause: Object.assign(new Error('x'), { remedy: 'y' }),
      headersAfter: 1,
      remoteAddress: '10.0.0.1',
    })
    const parties = { issuer: 'https://i', subject: 's', clientId: 'c', scopes: ['mcp:tools'], events: ['token_issued'] }
    const signedIn = lineOf({ server: undefined, parties })
    const fields = [line, signedIn].flatMap((one) => Object.keys(JSON.parse(one)))
    expect([...new Set(fields)].sort()).toEqual(listDocumentedFields().sort())
  })

  it('is for debugging alone where a load balancer asks for health, unless the question was refused', () => {
    for (const path of ['/healthz', '/readyz']) {
      expect(lineOf({ path, server: undefined, method: 'GET' })).toBe('')
      expect(lineOf({ path, server: undefined, method: 'GET', status: 503 })).toBe('')
      expect(lineOf({ path, server: undefined, code: 'method_not_allowed', status: 405 })).toContain('method_not_allowed')
    }
    expect(lineOf({ path: '/token', server: undefined })).toContain('"level":"info"')
  })

  it('tells whom a request to the broker is about, cut to a bounded length', () => {
    const nasty = `"\n${'x'.repeat(1000)}`
    const first = addParties(undefined, { issuer: 'https://i', subject: 'nobody yet', clientId: nasty, events: ['sign_in'] })
    const parties = addParties(first, { subject: nasty, scopes: Array(1000).fill(nasty), events: ['consent', 'sign_in'] })
    const line = JSON.parse(lineOf({ server: undefined, parties }))
    const cut = `${nasty.slice(0, 200)}…`
    expect(line).toMatchObject({ events: ['sign_in', 'consent'], issuer: 'https://i', subject: cut, client_id: cut })
    expect(line.scopes).toEqual(Array(30).fill(cut))
  })

  it('is one line of JSON, whatever strangers choose', () => {
    const nasty = 'a"\\\n\r\u2028\u0000\u001b[31m😀'
    const principal = createPrincipal(nasty, nasty)
    const operations = [{ kind: 'request', method: nasty, targetKind: 'tool', target: nasty, id: '1' } as const]
    const line = lineOf({
      method: nasty,
      path: nasty,
      cause: nasty,
      principal,
      operations,
      revision: nasty,
      decision: 'deny',
      code: 'policy_denied',
      status: 403,
    })
    expect(line.match(/[\n\r\u001b\u0000]/g)).toEqual(['\n'])
    expect(JSON.parse(line)).toMatchObject({
      level: 'info',
      path: nasty,
      subject: nasty,
      client_id: nasty,
      operations: [`${nasty} ${nasty}`],
      cause: nasty,
      decision: 'deny',
      code: 'policy_denied',
      status: 403,
      ms: 1.24,
    })
  })

  it('names the reason beneath a code, for alerts', () => {
    const line = lineOf({
      code: 'token_invalid',
      reason: 'signature_invalid',
      cause: 'the signature does not verify',
      status: 401,
    })
    expect(JSON.parse(line)).toMatchObject({
      code: 'token_invalid',
      reason: 'signature_invalid',
      cause: 'the signature does not verify',
    })
    expect(JSON.parse(lineOf({ code: 'token_expired', cause: 'expired', status: 401 }))).not.toHaveProperty('reason')
  })

  it('has the remedy beside the cause, where that has one', () => {
    const cause = Object.assign(new Error('the metadata names no authorization server'), { remedy: 'Have it name one.' })
    const changes = { code: 'upstream_token_misconfigured', cause, status: 502 } as const
    expect(JSON.parse(lineOf(changes))).toMatchObject({ cause: cause.message, remedy: 'Have it name one.' })
    expect(JSON.parse(lineOf({ ...changes, cause: new Error('x') }))).not.toHaveProperty('remedy')
  })

  it('cuts what is long', () => {
    expect(lineOf({ path: `/${'x'.repeat(5000)}`, cause: 'y'.repeat(5000) }).length).toBeLessThan(1200)
  })

  it('tells the time to the millisecond', () => {
    const before = Date.now()
    const { time } = JSON.parse(lineOf({})) as { time: string }
    expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    expect(Date.parse(time)).toBeGreaterThanOrEqual(before)
    expect(Date.parse(time)).toBeLessThanOrEqual(Date.now())
  })

  it('shows the stack of a bug, and the reason behind a failure', () => {
    expect(lineOf({ code: 'internal_error', cause: new Error('boom'), status: 500 })).toMatch(
      /"level":"error".*request-line\.test/,
    )
    expect(
      lineOf({
        code: 'upstream_unreachable',
        cause: Object.assign(new Error('connect', { cause: new Error('refused') }), { code: 'ECONNREFUSED' }),
        status: 502,
      }),
    ).toContain('"cause":"ECONNREFUSED connect: refused"')
  })

  it.each([
    [{ status: 200, decision: 'permit' }, 'answered 200'],
    [{ status: 404, decision: 'permit' }, 'the MCP server answered 404'],
    [{ status: 404, decision: 'permit', operations: OPENING }, 'the MCP server answered 404: check the path in `upstream`'],
    [{ status: 404, code: 'route_not_found' }, 'refused: route_not_found'],
    [{ status: 502, decision: 'permit', code: 'upstream_unreachable' }, 'refused: upstream_unreachable'],
    [{ status: 200, decision: 'permit', code: 'upstream_ended' }, 'failed after 200: upstream_ended'],
    [{ status: 200, decision: 'permit', code: 'client_gone' }, 'the client closed the connection'],
    [{ status: 0, decision: 'permit', code: 'client_gone' }, 'the client closed the connection'],
  ] as const)('says of %j what happened', (changes, message) => {
    expect(JSON.parse(lineOf(changes))).toMatchObject({ msg: message })
  })

  it('is one line for people, too, which begins with what matters most', () => {
    const principal = {
      issuer: 'https://i',
      subject: 'alice',
      clientId: 'c',
      scopes: new Set<string>(),
      groups: [],
      assurance: 'audience' as const,
      expiresAt: 1,
      acceptedUntil: 1,
      claims: {},
    }
    const operations = [{ kind: 'request', method: 'tools/call', targetKind: 'tool', target: 'echo', id: '1' } as const]
    const line = lineOf({ decision: 'permit', principal, operations }, 'pretty')
    expect(line.match(/\n/g)).toHaveLength(1)
    expect(line).toMatch(/^\[[\d:.]+\] INFO: POST \/mcp tools\/call echo, alice: answered 200 \{.*"decision":"permit".*\}\n$/)
  })

  it('says on the first 80 columns why a request was refused', () => {
    const changes = { code: 'token_issuer_unknown', cause: 'iss is "x"', status: 401 } as const
    const line = lineOf(changes, 'pretty')
    expect(line.slice(0, 80)).toContain('POST /mcp: refused: token_issuer_unknown (iss is "x")')
  })
})
