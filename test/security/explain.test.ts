// What `explain` and `rules test` print comes from tokens, claims and names that others chose.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startIssuer, type TestIssuer } from '../support/tokens.ts'

const main = new URL('../../src/cli/main.ts', import.meta.url).pathname
const directory = mkdtempSync(join(tmpdir(), 'explain-security-'))
let issuer: TestIssuer

beforeAll(async () => {
  issuer = await startIssuer({ audience: 'http://localhost:8080/mcp' })
  const rules = '[{ tool: pay, require: "args.amount <= 100 && \'finance\' in principal.groups" }, { tool: "*", scopes: [use] }]'
  const server = `{ path: /mcp, upstream: "http://localhost/mcp", rules: ${rules} }`
  writeFileSync(join(directory, 'config.yaml'), `issuers: ["${issuer.issuer}"]\nservers: [${server}]\n`)
})
afterAll(async () => {
  await issuer.close()
  rmSync(directory, { recursive: true })
})

async function run(argv: readonly string[], input = '') {
  const child = spawn(process.execPath, [main, ...argv], { cwd: directory })
  let output = ''
  let error = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (output += chunk))
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (error += chunk))
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  const [code] = await once(child, 'close')
  return { code: code as number, output, error, all: output + error }
}

/** Anything that shows more of the token than the claims it was asked about. */
function expectNothingOf(token: string, text: string): void {
  for (const part of token.split('.').slice(1)) {
    expect(text).not.toContain(part)
    expect(text).not.toContain(part.slice(0, 24))
  }
}

const pay = ['explain', '--tool', 'pay', '--args', '{"amount": 5}', '--token', '-']

describe('explain with a token', { timeout: 60_000 }, () => {
  it('verifies it as a request’s would be, and decides by what it says', async () => {
    const token = await issuer.mint({ claims: { groups: ['finance'], scope: 'use' } })
    const { code, output, all } = await run(pay, `Bearer ${token}\n`)
    expect(code).toBe(0)
    expect(output).toMatch(/^Permitted\.$/m)
    expect(output).not.toContain('taken as given')
    expectNothingOf(token, all)
  })

  it.each([
    ['of another audience', { aud: 'https://other.example.com' }, '401, token_audience_mismatch'],
    ['that has expired', { exp: 1_000_000_000 }, '401, token_expired'],
    ['whose subject is a number', { sub: 5 }, '401, token_invalid'],
  ])('refuses one %s with its code, and decides nothing', async (_, claims, said) => {
    const token = await issuer.mint({ claims: { groups: ['finance'], scope: 'use', ...claims } })
    for (const argv of [pay, [...pay, '--json']]) {
      const { code, output, all } = await run(argv, token)
      expect(code).toBe(3)
      expect(output).toContain(said.split(', ')[1])
      expect(output).not.toMatch(/Permitted|"permit"/)
      expectNothingOf(token, all)
    }
  })

  it('refuses one that another key signed', async () => {
    const token = await issuer.mint({ claims: { groups: ['finance'], scope: 'use' } })
    const [head, body] = token.split('.')
    const forged = `${head}.${body}.${Buffer.alloc(256, 1).toString('base64url')}`
    const { code, output, all } = await run(pay, forged)
    expect(code).toBe(3)
    expect(output).toContain('401, token_invalid')
    expectNothingOf(forged, all)
  })

  it.each(['a.b.c', 'opaque-token-of-some-length', `${'x'.repeat(20_000)}`, 'one two', ''])(
    'prints nothing of what is no token: %.20s',
    async (text) => {
      const { code, all } = await run(pay, text)
      expect([2, 3]).toContain(code)
      expect(all).not.toContain('opaque-token-of-some-length')
      expect(all).not.toContain('xxxxxxxxxx')
      expect(all).not.toMatch(/\n\s+at /)
    },
  )
})

const ODD_CLAIMS: readonly (readonly [what: string, claims: string, code: number])[] = [
  ['groups that are a number', '{"scope":"use","groups":5}', 3],
  ['groups in an object', '{"scope":"use","groups":{"finance":true}}', 3],
  ['groups with numbers among them', '{"scope":"use","groups":[1,null,["finance"]]}', 3],
  ['a group whose name contains the one', '{"scope":"use","groups":"finance admins"}', 3],
  ['a scope that is an object', '{"scope":{"use":1},"groups":["finance"]}', 3],
  ['a client id that is a list', '{"client_id":["a"],"scope":"use","groups":["finance"]}', 3],
  ['a subject with a line break', '{"sub":"a\\nb","scope":"use","groups":["finance"]}', 3],
  ['an issuer that is a number', '{"iss":1,"scope":"use","groups":["finance"]}', 3],
  ['a member __proto__', '{"__proto__":{"groups":["finance"]},"scope":"use"}', 3],
  ['nesting beyond all bounds', `{"a":${'['.repeat(5000)}${']'.repeat(5000)}}`, 2],
  ['a name that stands there twice', '{"groups":[],"groups":["finance"]}', 2],
]

describe('explain with claims of odd types', { timeout: 60_000 }, () => {
  it.each(ODD_CLAIMS)('never permits because of %s', async (_, claims, code) => {
    const found = await run(['explain', '--tool', 'pay', '--args', '{"amount": 5}', '--claims', claims])
    expect(found.code).toBe(code)
    expect(found.all).not.toMatch(/\n\s+at /)
  })

  it('permits with the same claims in order', async () => {
    const claims = '{"scope":"use","groups":["finance"]}'
    expect(await run(['explain', '--tool', 'pay', '--args', '{"amount": 5}', '--claims', claims])).toMatchObject({ code: 0 })
  })
})

/** What a terminal obeys: escape sequences, line ends, what turns the direction of writing. */
const OBEYED = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/

describe('names with control characters', { timeout: 60_000 }, () => {
  const odd = 'a\u001b[2J\u202eb\u009b\r\nPermitted.'

  it.each([[[]], [['--json']]])('are escaped on the terminal %j', async (flags) => {
    const claims = JSON.stringify({ sub: 'x\u202e', groups: [odd], client_id: 'c\u2028' })
    const { code, output, error } = await run(['explain', ...flags, '--tool', odd, '--claims', claims])
    expect({ code, error }).toEqual({ code: 3, error: '' })
    expect(output).not.toMatch(OBEYED)
    expect(output).not.toMatch(/^Permitted/m)
    if (flags.length > 0) expect(JSON.parse(output)).toMatchObject({ operation: { name: odd }, principal: { groups: [odd] } })
  })

  it('are escaped in the report of rule tests', async () => {
    const cases = {
      cases: [{ name: odd, principal: { groups: [odd] }, tool: odd, expect: 'permit' }],
    }
    writeFileSync(join(directory, 'odd.yaml'), JSON.stringify(cases))
    const { code, output, error } = await run(['rules', 'test', 'odd.yaml'])
    expect({ code, error }).toEqual({ code: 1, error: '' })
    expect(output).not.toMatch(OBEYED)
  })
})
