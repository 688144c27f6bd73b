import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'

const main = new URL('../src/cli/main.ts', import.meta.url).pathname
const directory = mkdtempSync(join(tmpdir(), 'explain-'))
afterAll(() => rmSync(directory, { recursive: true }))

const TICKETS = `
issuers: [https://idp.example.com]
servers:
  - path: /tickets
    upstream: http://localhost:8000/mcp
    scopes: [tickets]
    access:
      - groups: [support, admins]
        tools: [search_*, refund]
        resources: ["ticket://**"]
      - who: "principal.client_id == 'nightly' && 'robot' in principal.scopes"
        tools: [export]
    rules:
      - tool: refund
        require: "args.amount <= 100 || 'finance' in principal.groups"
        reason: Refunds over 100 need the finance group.
      - tool: export
        scopes: [tickets:export]
      - tool: "search_secret*"
        deny: true
        on_deny: hide
      - tool: search_big
        require: "args.size == 9007199254740993"
      - tool: search_slow
        deny: true
        mode: shadow
`
writeFileSync(join(directory, 'config.yaml'), TICKETS)
writeFileSync(
  join(directory, 'two.yaml'),
  `issuers: [https://one.example.com, https://two.example.com]
servers:
  - { path: /a, name: first, upstream: "http://localhost/mcp" }
  - { path: /b, name: second, upstream: "http://localhost/mcp", sse: { path: /b/sse, upstream: "http://localhost/sse" }, rules: [{ path: /b/sse, deny: true }] }
`,
)

function run(argv: readonly string[], input = '') {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...argv], { cwd: directory, input, encoding: 'utf8' })
  return { code: status, output: stdout, error: stderr }
}

const alice = JSON.stringify({ sub: 'alice', groups: ['support'], scope: 'tickets' })
const ask = (...argv: string[]) => run(['explain', '--claims', alice, ...argv])

describe('explain', { timeout: 60_000 }, () => {
  it('says for a permitted call which entry opened it and which rules held, and exits with 0', () => {
    const { code, output, error } = ask('--tool', 'refund', '--args', '{"amount": 100}')
    expect({ code, error }).toEqual({ code: 0, error: '' })
    expect(output).toMatch(/^tool refund of server tickets \(\/tickets\), revision 2025-11-25$/m)
    expect(output).toMatch(/^ {2}holds {4}servers\[0\]\.access\[0\]: groups support, admins: tools search_\*/m)
    expect(output).toMatch(/^ {2}holds {4}rules\[0\]: tool refund: require args\.amount <= 100/m)
    expect(output).toMatch(/^ {2}holds {4}scopes: every request needs tickets$/m)
    expect(output).toMatch(/^Permitted\.$/m)
    expect(output).toMatch(/^tools\/list shows it\.$/m)
  })

  it('names the rule that denies, and what the caller is told, and exits with 3', () => {
    const { code, output } = ask('--tool', 'refund', '--args', '{"amount": 101}')
    expect(code).toBe(3)
    expect(output).toMatch(/^ {2}fails {4}rules\[0\]: /m)
    expect(output).toMatch(/^Denied by rules\[0\]: require is false\.$/m)
    expect(output).toContain('403 without a challenge (policy_denied): Refunds over 100 need\n  the finance group.')
  })

  it('names a missing argument as the reason', () => {
    expect(ask('--tool', 'refund').output).toMatch(/^Denied by rules\[0\]: args\.amount is missing\.$/m)
  })

  it('names all scopes of the challenge where scopes would help', () => {
    const claims = JSON.stringify({ client_id: 'nightly', scope: 'robot tickets' })
    const { code, output } = run(['explain', '--tool', 'export', '--claims', claims])
    expect(code).toBe(3)
    expect(output).toContain('403 with a challenge for the scopes robot tickets\n  tickets:export')
    expect(output).toMatch(/^tools\/list shows it\.$/m)
  })

  it.each([
    [['--tool', 'search_secrets'], '"message":"Unknown tool: search_secrets"', 'tools/list'],
    [['--tool', 'no_such_tool'], '"message":"Unknown tool: no_such_tool"', 'tools/list'],
    [['--prompt', 'greet'], '"message":"Unknown prompt: greet"', 'prompts/list'],
    [['--resource', 'file:///x'], '"code":-32002', 'resources/list'],
  ])('shows the answer of a name that does not exist: %j', (argv, answer, list) => {
    const { code, output } = ask(...argv)
    expect(code).toBe(3)
    expect(output.replaceAll(/\s+/g, ' ')).toContain(`${answer}`)
    expect(output).toMatch(/gets 200 with/)
    expect(output).toMatch(new RegExp(`^${list} does not show it\\.$`, 'm'))
  })

  it('permits what only a rule in shadow denies, and says so', () => {
    const { code, output } = ask('--tool', 'search_slow')
    expect(code).toBe(0)
    expect(output).toMatch(/^ {2}fails {4}rules\[4\] \(shadow\)/m)
    expect(output).toMatch(/^In shadow, would be denied: .*rules\[4\]/m)
  })

  it('keeps numbers of arguments exact', () => {
    expect(ask('--tool', 'search_big', '--args', '{"size": 9007199254740993}').code).toBe(0)
    expect(ask('--tool', 'search_big', '--args', '{"size": 9007199254740992}').code).toBe(3)
  })

  it('prints the same as JSON', () => {
    const { code, output } = ask('--tool', 'refund', '--args', '{"amount": 101}', '--json')
    expect(code).toBe(3)
    expect(JSON.parse(output)).toMatchObject({
      decision: 'deny',
      server: 'tickets',
      decided_by: 'rules[0]',
      principal: { subject: 'alice', groups: ['support'], scopes: ['tickets'] },
      answer: { status: 403, code: 'policy_denied', reason: 'Refunds over 100 need the finance group.' },
      list: { method: 'tools/list', shown: true },
      steps: expect.arrayContaining([
        expect.objectContaining({ check: 'rules[0]', outcome: 'fails', detail: 'require is false' }),
      ]),
    })
  })

  it('chooses among servers by name or path, and among issuers by the claim', () => {
    const two = (server: string, claims = '{"iss":"https://two.example.com"}') =>
      run(['explain', 'two.yaml', '--server', server, '--tool', 't', '--claims', claims])
    expect(two('second')).toMatchObject({ code: 0, output: expect.stringContaining('server second (/b)') })
    expect(two('/b')).toMatchObject({ code: 0 })
    expect(two('/b/sse')).toMatchObject({ code: 3, output: expect.stringContaining('Denied by rules[0]: the rule denies it.') })
    expect(two('first', '{}')).toMatchObject({
      code: 2,
      error: expect.stringMatching(/`iss` is missing.*https:\/\/one\.example\.com/),
    })
    expect(two('first', '{"iss":"https://three.example.com"}')).toMatchObject({
      code: 3,
      output: expect.stringMatching(/401, token_issuer_unknown/),
    })
    expect(two('third')).toMatchObject({ code: 2, error: expect.stringContaining('There are "first", "second".') })
    expect(run(['explain', 'two.yaml', '--tool', 't', '--claims', '{}'])).toMatchObject({
      code: 2,
      error: expect.stringContaining('--server is missing'),
    })
  })

  it('says how the list itself is treated', () => {
    const passed = run([
      'explain',
      'two.yaml',
      '--server',
      'first',
      '--tool',
      't',
      '--claims',
      '{"iss":"https://one.example.com"}',
    ])
    expect(passed.output).toMatch(/^tools\/list shows it: the list passes as it is\.$/m)
    const refused = run(['explain', '--tool', 'refund', '--claims', '{"groups":["support"]}'])
    expect(refused.output).toMatch(/^tools\/list is refused itself, so it shows nothing\.$/m)
  })

  it('asks about methods as clients send them: notifications have no id', () => {
    expect(ask('--method', 'notifications/initialized').code).toBe(0)
    expect(ask('--method', 'tools/list').output).not.toMatch(/tools\/list (?:shows|does not)/)
    expect(ask('--method', 'logging/setLevel', '--args', '{"level":"info"}')).toMatchObject({
      code: 3,
      output: expect.stringContaining('403 without a challenge (policy_denied)'),
    })
    const params = '{"ref":{"type":"ref/resource","uri":"ticket://{id}"},"argument":{"name":"id","value":"4"}}'
    expect(ask('--method', 'completion/complete', '--args', params).code).toBe(0)
  })

  it('takes the endpoint for messages where there is HTTP+SSE alone, which answers what is hidden with 400', () => {
    const server = '{ sse: { path: /sse, upstream: "http://localhost/sse" }, rules: [{ tool: a, deny: true, on_deny: hide }] }'
    writeFileSync(join(directory, 'sse.yaml'), `issuers: [https://idp.example.com]\nservers: [${server}]\n`)
    const { code, output } = run(['explain', 'sse.yaml', '--tool', 'a', '--claims', '{}'])
    expect(code).toBe(3)
    expect(output).toMatch(/gets 400 with/)
  })

  it('says when the groups are not known, and why', () => {
    const claims = JSON.stringify({ sub: 'alice', groups: { support: true }, scope: 'tickets' })
    const { code, output } = run(['explain', '--tool', 'refund', '--claims', claims])
    expect(code).toBe(3)
    expect(output.replaceAll(/\s+/g, ' ')).toMatch(/groups not known: the claim groups/)
  })

  it.each([
    [['--tool', 'a'], /--token FILE, or --claims/],
    [['--claims', '{}'], /one of --tool, --prompt, --resource and --method/],
    [['--claims', '{}', '--tool', 'a', '--method', 'ping'], /one of --tool/],
    [['--claims', '{}', '--token', '-', '--tool', 'a'], /not both/],
    [['--claims', '[]', '--tool', 'a'], /--claims takes a JSON object/],
    [['--claims', '{"a":1,"a":2}', '--tool', 'a'], /--claims is JSON that can be read in two ways/],
    [['--claims', '{', '--tool', 'a'], /--claims is not JSON/],
    [['--claims', '{}', '--tool', 'a', '--args', '3'], /--args takes a JSON object/],
    [['--claims', '{}', '--tool', 'a', '--args', '{}},"id":{'], /--args is not JSON/],
    [['--claims', '{}', '--resource', 'a:b', '--args', '{}'], /takes no arguments/],
    [['--claims', '{}', '--method', 'tools/call'], /cannot be read \(params_invalid/],
    [['--claims', '{}', '--tool', 'a', 'missing.yaml'], /no such file/],
  ])('tells a mistake of the command line and exits with 2: %j', (argv, message) => {
    expect(run(['explain', ...argv])).toMatchObject({ code: 2, output: '', error: expect.stringMatching(message) })
  })

  it('is what other words mean', () => {
    expect(run(['why']).error).toContain('Did you mean explain?')
    expect(run(['policy']).error).toContain('Did you mean rules?')
    expect(run(['check', '--tool', 'x']).error).toContain('--tool is for the command explain.')
    expect(run(['check', '--json']).error).toContain('--json is for the commands doctor and explain.')
  })
})
