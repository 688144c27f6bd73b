import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { runCommand } from './support/run-command.ts'

const main = new URL('../src/cli/main.ts', import.meta.url).pathname
const directory = mkdtempSync(join(tmpdir(), 'rule-tests-'))
afterAll(() => rmSync(directory, { recursive: true }))

const CONFIG = `
issuers: [https://idp.example.com]
access:
  - { groups: [admins], tools: ["*"] }
servers:
  - path: /tickets
    upstream: http://localhost:8000/mcp
    scopes: [tickets]
    access:
      - { groups: [support], tools: [search_*, refund, delete_*], resources: ["ticket://**"], prompts: [greet] }
    rules:
      - { tool: refund, require: "args.amount <= 100", reason: Too much. }
      - { tool: "delete_*", deny: true, on_deny: hide }
      - { tool: search_all, scopes: [tickets:all] }
      - { prompt: greet, require: "now.getHours() >= 8 && now.getHours() < 18" }
      - { resource: "ticket://secret/**", require: "request.address == '192.0.2.1' && request.revision == '2026-07-28'" }
`
writeFileSync(join(directory, 'config.yaml'), CONFIG)

/** Exercises every rule and entry. */
const ALL = `
cases:
  - name: small refunds
    principal: &support { subject: alice, groups: [support], scopes: [tickets] }
    tool: refund
    args: { amount: 100 }
    expect: permit
  - { principal: *support, tool: refund, args: '{"amount": 100.5}', expect: deny }
  - { principal: *support, tool: delete_all, expect: hide }
  - { principal: *support, tool: search_all, expect: challenge, scopes: [tickets:all, tickets] }
  - { principal: { groups: [admins], scopes: [tickets] }, tool: anything, expect: permit }
  - { principal: *support, prompt: greet, request: { now: 2026-01-05T08:00:00Z }, expect: permit }
  - { principal: *support, prompt: greet, request: { now: 2026-01-05T18:00:00Z }, expect: deny }
  - { principal: *support, resource: "ticket://secret/1", request: { address: 192.0.2.1, revision: "2026-07-28" }, expect: permit }
  - { principal: *support, resource: "ticket://secret/1", expect: deny }
  - { principal: { claims: { scp: [tickets], groups: [support] } }, method: tools/list, expect: permit }
  - { principal: *support, method: tasks/list, expect: deny }
  - { principal: *support, list: tools, of: [refund, delete_all, search_all, export], shows: [refund, search_all] }
  - { principal: *support, list: resources, of: ["ticket://1", "file:///1"], shows: ["ticket://1"] }
  - { principal: *support, list: resource_templates, of: ["ticket://{id}", "file:///{id}"], shows: ["ticket://{id}"] }
  - { principal: *support, list: prompts, of: [greet, other], shows: [greet], request: { now: 2026-01-05T12:00:00Z } }
`

writeFileSync(join(directory, 'all.yaml'), ALL)

function run(cases: string, ...more: string[]) {
  writeFileSync(join(directory, 'cases.yaml'), cases)
  const files = more.filter((one) => one.startsWith('more')).map((name) => join(directory, name))
  const config = more.find((one) => one.startsWith('other')) ?? 'config.yaml'
  return runCommand(['rules', 'test', join(directory, 'cases.yaml'), ...files, '--config', join(directory, config)])
}

const support = 'principal: { subject: alice, groups: [support], scopes: [tickets] }'

describe('rules test', { timeout: 60_000 }, () => {
  it('exits with 0 where every case comes out as expected and every rule is exercised', async () => {
    expect(await run(ALL)).toEqual({ code: 0, error: '', output: '15 of 15 cases came out as expected.\n' })
  })

  it('exits with 1 for a surprise: what was expected, what came out, and what decided', async () => {
    const { code, output } = await run(
      `cases:\n  - { name: large refunds, ${support}, tool: refund, args: { amount: 101 }, expect: permit }\n`,
    )
    expect(code).toBe(1)
    expect(output).toMatch(/cases\.yaml, cases\[0\], line 2: large refunds$/m)
    expect(output).toMatch(/^ {2}- expected: permit\n {2}\+ got: {6}deny$/m)
    expect(output).toMatch(/^ {2}Refused by rules\[0\]: require is false\.$/m)
    expect(output).toMatch(/^ {2}holds {4}servers\[0\]\.access\[0\]: groups support/m)
    expect(output).toMatch(/^ {2}fails {4}rules\[0\]: tool refund: require args\.amount <= 100/m)
    expect(output).toMatch(/^0 of 1 cases came out as expected\.$/m)
    expect(output.split('\n').filter((line) => line.length > 80 && !line.includes(directory))).toEqual([])
  })

  it('needs no secrets of the configuration with --no-secrets, as where it is in version control', async () => {
    writeFileSync(join(directory, 'other.yaml'), `session_key: { env: NO_SUCH_VARIABLE }\n${CONFIG}`)
    const argv = ['rules', 'test', join(directory, 'all.yaml'), '--config', join(directory, 'other.yaml')]
    expect(await runCommand(argv)).toMatchObject({ code: 2, error: expect.stringContaining('NO_SUCH_VARIABLE') })
    expect(await runCommand([...argv, '--no-secrets'])).toMatchObject({ code: 0, error: '' })
  })

  it.each([
    ['tool: search_all, expect: challenge, scopes: [tickets]', 'challenge for tickets', 'challenge for tickets tickets:all'],
    ['tool: search_all, expect: deny', 'deny', 'challenge for tickets tickets:all'],
    ['tool: other, expect: deny', 'deny', 'hide'],
    ['tool: search_x, expect: challenge, scopes: [tickets]', 'challenge for tickets', 'permit'],
    ['list: tools, of: [refund, export], shows: [export]', 'shows export', 'shows refund'],
    ['list: tools, of: [export], shows: [export]', 'shows export', 'shows nothing'],
  ])('finds a surprise in { %s }', async (what, expected, got) => {
    const { code, output } = await run(`cases: [{ ${support}, ${what} }]`)
    expect(code).toBe(1)
    expect(output).toContain(`- expected: ${expected}\n`)
    expect(output).toContain(`+ got:      ${got}\n`)
  })

  describe('of what is only tried', () => {
    const shadow = `
issuers: [https://idp.example.com]
servers:
  - path: /tickets
    upstream: http://localhost:8000/mcp
    access_mode: shadow
    access:
      - { groups: [support], tools: [search, refund] }
    rules:
      - { tool: refund, require: "args.amount <= 100", mode: shadow }
      - { tool: purge, deny: true }
      - { resource: "file:///secret/**", deny: true, mode: shadow }
`
    const ask = (what: string) => {
      writeFileSync(join(directory, 'other.yaml'), shadow)
      return run(`cases: [{ principal: { groups: [support] }, ${what} }]`, 'other.yaml')
    }

    it.each([
      'tool: refund, args: { amount: 200 }, expect: permit, would_deny: ["rules[0]"]',
      'tool: refund, args: { amount: 200 }, expect: permit, would_deny: true',
      'tool: refund, args: { amount: 200 }, expect: permit',
      'tool: refund, args: { amount: 1 }, expect: permit, would_deny: false',
      'tool: search, expect: permit, would_deny: []',
      'tool: export, expect: permit, would_deny: [access]',
      'tool: purge, expect: deny, would_deny: [access]',
      'resource: "file:///secret/a", expect: permit, would_deny: ["rules[2]", access]',
      'resource: "file:///a/%252e%252e/%25252e", expect: permit, would_deny: true',
    ])('a case comes out as expected: { %s }', async (what) => {
      expect((await ask(what)).output).toMatch(/^1 of 1 cases came out as expected\.$/m)
    })

    it.each([
      [
        'tool: refund, args: { amount: 200 }, expect: permit, would_deny: [access]',
        'permit, would be denied by access',
        'permit, would be denied by rules[0]',
      ],
      [
        'tool: refund, args: { amount: 1 }, expect: permit, would_deny: true',
        'permit, would be denied',
        'permit, would not be denied',
      ],
      ['tool: export, expect: permit, would_deny: false', 'permit, would not be denied', 'permit, would be denied by access'],
      ['tool: export, expect: permit, would_deny: []', 'permit, would not be denied', 'permit, would be denied by access'],
      [
        'tool: export, expect: hide, would_deny: [access]',
        'hide, would be denied by access',
        'permit, would be denied by access',
      ],
    ])('finds a surprise in { %s }', async (what, expected, got) => {
      const { code, output } = await ask(what)
      expect(code).toBe(1)
      expect(output).toContain(`- expected: ${expected}\n`)
      expect(output).toContain(`+ got:      ${got}\n`)
    })

    it.each([
      [
        'tool: purge, expect: deny, would_deny: ["rules[1]"]',
        'would_deny[0]',
        'is not in shadow mode',
        'access, rules[0], rules[2]',
      ],
      [
        'tool: purge, expect: deny, would_deny: ["rules[7]"]',
        'would_deny[0]',
        'is not in shadow mode',
        'access, rules[0], rules[2]',
      ],
      ['tool: purge, expect: deny, would_deny: [access, access]', 'would_deny[1]', 'is listed twice', ''],
      ['list: tools, of: [a], shows: [a], would_deny: false', 'would_deny', 'is not for lists', ''],
      ['tool: purge, expect: deny, would_deny: maybe', 'would_deny', '', ''],
    ])('refuses { %s }', async (what, place, reason, fix) => {
      const { code, error } = await ask(what)
      expect(code).toBe(2)
      const words = error.replaceAll(/\s+/g, ' ')
      for (const part of [`cases[0].${place} (line 1,`, reason, fix]) expect(words).toContain(part)
    })
  })

  it('says of a surprise in a list what is shown, apart from what a use without arguments comes to', async () => {
    const { output } = await run(`cases: [{ ${support}, list: tools, of: [refund, export], shows: [export] }]`)
    const words = output.replaceAll(/\s+/g, ' ')
    expect(words).toContain('refund is shown. Used without arguments: Refused by rules[0]: args.amount is missing.')
    expect(words).toContain('export is not shown. Used without arguments: Refused: ')
  })

  it('names rules that no case is about, and entries that open nothing in any case', async () => {
    const { code, output } = await run(`cases: [{ ${support}, tool: refund, args: { amount: 1 }, expect: permit }]`)
    expect(code).toBe(0)
    const named = [...output.matchAll(/^No case exercises (\S+)/gm)].map(([, place]) => place)
    expect(named).toEqual(['access[0]:', 'rules[1]', 'rules[2]', 'rules[3]', 'rules[4]'])
    expect(output).toMatch(/^No case exercises rules\[1\] of server tickets: tool delete_\*$/m)
  })

  it('says exactly what a rule of no scopes is about', async () => {
    const server =
      '{ path: /a, upstream: "http://localhost/a", unlisted_operations: deny, rules: [{ tool: a, scopes: [] }, { tool: b, scopes: [] }] }'
    writeFileSync(join(directory, 'other.yaml'), `issuers: [https://idp.example.com]\nservers: [${server}]\n`)
    const { code, output } = await run(
      'cases: [{ principal: {}, tool: a, expect: permit }, { principal: {}, tool: c, expect: deny }]',
      'other.yaml',
    )
    expect(code).toBe(0)
    expect(output).toMatch(/exercises rules\[1\] of server a: tool b\n/)
    expect(output).not.toMatch(/exercises rules\[0\]/)
  })

  it('tells every mistake of every file with its place and fix, and exits with 2', async () => {
    writeFileSync(join(directory, 'more.yaml'), 'cases: []\n')
    const { code, output, error } = await run(
      `cases:
  - { principal: { subjekt: a }, tool: a, expect: permit }
  - { ${support}, tool: a, prompt: b, expect: permit }
  - { ${support}, tool: a }
  - { ${support}, expect: allow, tool: a }
  - { ${support}, tool: a, expect: deny, scopes: [a] }
  - { ${support}, list: tools, of: [a], shows: [b] }
  - { ${support}, tool: a, args: { amount: 9007199254740993 }, expect: permit }
  - { ${support}, tool: a, args: '{"a":1,"a":2}', expect: permit }
  - { ${support}, server: other, tool: a, expect: permit }
  - { principal: { claims: { sub: 5 } }, tool: a, expect: permit }
  - { ${support}, method: tools/call, expect: permit }
  - { ${support}, tool: a, expect: permit, request: { now: tomorrow, address: home, path: /other } }
  - { ${support}, tool: a, expect: permit, request: { path: /other } }
  - { principal: { issuer: "https://other.example.com" }, tool: a, expect: permit }
`,
      'more.yaml',
    )
    expect({ code, output }).toEqual({ code: 2, output: '' })
    for (const [place, reason] of [
      ['cases[0].principal.subjekt (line 2,', 'is not a known key'],
      ['cases[1].prompt (line 3,', 'stands beside `tool`'],
      ['cases[2] (line 4,', '`expect` is missing'],
      ['cases[3].expect (line 5,', 'possible values'],
      ['cases[4].scopes (line 6,', 'is for `expect: challenge`'],
      ['cases[5].shows[0] (line 7,', 'is not in `of`'],
      ['cases[6].args (line 8,', 'rounded'],
      ['cases[7].args (line 9,', 'can be read in two ways'],
      ['cases[8].server (line 10,', 'there is no server of that name'],
      ['cases[9].principal (line 11,', 'sub is not a name'],
      ['cases[10].method (line 12,', 'params_invalid'],
      ['cases[11].request.now (line 13,', 'is no time'],
      ['cases[11].request.address (line 13,', 'is no IP address'],
      ['cases[12].request.path (line 14,', 'is no path of the server'],
      ['cases[13].principal (line 15,', 'token_issuer_unknown'],
      ['cases (line 1,', 'must hold at least 1'],
    ]) {
      const block = error.split('\n\n').find((lines) => lines.trim().startsWith(place ?? ''))
      expect(block?.replaceAll(/\s+/g, ' '), place).toContain(reason)
      expect(block, place).toContain('Fix: ')
    }
  })

  it('says of a file that is missing where to read about cases, not how to write a configuration', async () => {
    const { code, error } = await runCommand([
      'rules',
      'test',
      join(directory, 'missing.yaml'),
      '--config',
      join(directory, 'config.yaml'),
    ])
    expect(code).toBe(2)
    expect(error).toMatch(/missing\.yaml[\s\S]*no such file[\s\S]*docs\/authorization\.md/)
    expect(error).not.toContain('init')
  })

  it.each(['.inf', '1e400', '[1, { b: 9007199254740993 }]', '-9007199254740993'])(
    'refuses arguments that are not exact: %s',
    async (number) => {
      const { code, error } = await run(`cases: [{ ${support}, tool: a, args: { a: ${number} }, expect: permit }]`)
      expect(code).toBe(2)
      expect(error).toContain('holds a number that YAML has rounded')
    },
  )

  it('refuses a case whose arguments contain themselves', async () => {
    const { code, error } = await run(`cases: [{ ${support}, tool: a, args: &a { b: *a }, expect: permit }]`)
    expect(code).toBe(2)
    expect(error).toContain('cannot be written as JSON')
  })

  it.each([[[]], [['test']], [['check', 'cases.yaml']]])('is all that `rules` does: %j', async (argv) => {
    expect(await runCommand(['rules', ...argv])).toMatchObject({ code: 2, error: expect.stringContaining('rules test FILE…') })
  })

  it('is a command of the program', () => {
    const { status, stdout } = spawnSync(process.execPath, [main, 'rules', 'test', 'all.yaml'], {
      cwd: directory,
      encoding: 'utf8',
    })
    expect({ status, stdout }).toEqual({ status: 0, stdout: '15 of 15 cases came out as expected.\n' })
  })
})
