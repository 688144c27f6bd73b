import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { runCommand } from './support/run-command.ts'

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

writeFileSync(
  join(directory, 'hosts.yaml'),
  `issuers: [https://idp.example.com]
servers:
  - path: /data
    upstream: http://localhost/mcp
    rules: [{ resource: "db://secret/**", deny: true }, { resource: "db://known/**", scopes: [] }, { resource: "file:///srv/**/.env", deny: true }]
`,
)

/** The file is config.yaml, unless one is named. */
function run([command = '', ...rest]: readonly string[]) {
  const [file = 'config.yaml', flags] = rest[0]?.endsWith('.yaml') ? [rest[0], rest.slice(1)] : [undefined, rest]
  return runCommand([command, join(directory, file), ...flags])
}

const alice = JSON.stringify({ sub: 'alice', groups: ['support'], scope: 'tickets' })
const ask = (...argv: string[]) => run(['explain', '--claims', alice, ...argv])

describe('explain', { timeout: 60_000 }, () => {
  it('says for a permitted call which entry opened it and which rules held, and exits with 0', async () => {
    const { code, output, error } = await ask('--tool', 'refund', '--args', '{"amount": 100}')
    expect({ code, error }).toEqual({ code: 0, error: '' })
    expect(output).toMatch(/^tool refund of server tickets \(\/tickets\), revision 2025-11-25$/m)
    expect(output).toMatch(/^ {2}holds {4}servers\[0\]\.access\[0\]: groups support, admins: tools search_\*/m)
    expect(output).toMatch(/^ {2}holds {4}rules\[0\]: tool refund: require args\.amount <= 100/m)
    expect(output).toMatch(/^ {2}holds {4}scopes: every request needs tickets$/m)
    expect(output).toMatch(/^Permitted\.$/m)
    expect(output).toMatch(/^tools\/list shows it\.$/m)
  })

  it('names the rule that denies, and what the caller is told, and exits with 3', async () => {
    const { code, output } = await ask('--tool', 'refund', '--args', '{"amount": 101}')
    expect(code).toBe(3)
    expect(output).toMatch(/^ {2}fails {4}rules\[0\]: /m)
    expect(output).toMatch(/^Denied by rules\[0\]: require is false\.$/m)
    expect(output).toContain('403 without a challenge (policy_denied): Refunds over 100 need\n  the finance group.')
  })

  it('names a missing argument as the reason', async () => {
    expect((await ask('--tool', 'refund')).output).toMatch(/^Denied by rules\[0\]: args\.amount is missing\.$/m)
  })

  it('names all scopes of the challenge where scopes would help', async () => {
    const claims = JSON.stringify({ client_id: 'nightly', scope: 'robot tickets' })
    const { code, output } = await run(['explain', '--tool', 'export', '--claims', claims])
    expect(code).toBe(3)
    expect(output).toContain('403 with a challenge for the scopes robot tickets\n  tickets:export')
    expect(output).toMatch(/^tools\/list shows it\.$/m)
  })

  it.each([
    [['--tool', 'search_secrets'], '"message":"Unknown tool: search_secrets"', 'tools/list'],
    [['--tool', 'no_such_tool'], '"message":"Unknown tool: no_such_tool"', 'tools/list'],
    [['--prompt', 'greet'], '"message":"Unknown prompt: greet"', 'prompts/list'],
    [['--resource', 'file:///x'], '"code":-32002', 'resources/list'],
  ])('shows the answer of a name that does not exist: %j', async (argv, answer, list) => {
    const { code, output } = await ask(...argv)
    expect(code).toBe(3)
    expect(output.replaceAll(/\s+/g, ' ')).toContain(`${answer}`)
    expect(output).toMatch(/gets 200 with/)
    expect(output).toMatch(new RegExp(`^${list} does not show it\\.$`, 'm'))
  })

  it('permits what only a rule in shadow denies, and says so', async () => {
    const { code, output } = await ask('--tool', 'search_slow')
    expect(code).toBe(0)
    expect(output).toMatch(/^ {2}fails {4}rules\[4\] \(shadow\)/m)
    expect(output).toMatch(/^In shadow, would be denied: .*rules\[4\]/m)
  })

  it('keeps numbers of arguments exact', async () => {
    expect((await ask('--tool', 'search_big', '--args', '{"size": 9007199254740993}')).code).toBe(0)
    expect((await ask('--tool', 'search_big', '--args', '{"size": 9007199254740992}')).code).toBe(3)
  })

  it('says that a rule is about what an MCP server may take the URI for, where it is not about the URI itself', async () => {
    const read = (uri: string) => run(['explain', 'hosts.yaml', '--claims', alice, '--resource', uri])
    const hint = 'about what an MCP server may read the URI as, not about the URI as it is written'
    const textOf = async (uri: string) => (await read(uri)).output.replaceAll(/\s+/g, ' ')
    expect(await textOf('db://public/x')).toContain(`rules[0]: resource db://secret/**: denied (${hint}) →`)
    expect(await textOf('db://public/%2e%2e/x')).toContain(hint)
    expect(await textOf('db://secret/x')).toContain('rules[0]: resource db://secret/**: denied →')
    expect(await textOf('db://known/x')).not.toContain('rules[0]')
    expect(await textOf('file:///srv/.env')).toContain('rules[2]: resource file:///srv/**/.env: denied →')
  })

  it('prints the same as JSON', async () => {
    const { code, output } = await ask('--tool', 'refund', '--args', '{"amount": 101}', '--json')
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

  it('chooses among servers by name or path, and among issuers by the claim', async () => {
    const two = (server: string, claims = '{"iss":"https://two.example.com"}') =>
      run(['explain', 'two.yaml', '--server', server, '--tool', 't', '--claims', claims])
    expect(await two('second')).toMatchObject({ code: 0, output: expect.stringContaining('server second (/b)') })
    expect(await two('/b')).toMatchObject({ code: 0 })
    expect(await two('/b/sse')).toMatchObject({
      code: 3,
      output: expect.stringContaining('Denied by rules[0]: the rule denies it.'),
    })
    expect(await two('first', '{}')).toMatchObject({
      code: 2,
      error: expect.stringMatching(/`iss` is missing.*https:\/\/one\.example\.com/),
    })
    expect(await two('first', '{"iss":"https://three.example.com"}')).toMatchObject({
      code: 3,
      output: expect.stringMatching(/401, token_issuer_unknown/),
    })
    expect(await two('third')).toMatchObject({ code: 2, error: expect.stringContaining('There are "first", "second".') })
    expect(await run(['explain', 'two.yaml', '--tool', 't', '--claims', '{}'])).toMatchObject({
      code: 2,
      error: expect.stringContaining('--server is missing'),
    })
  })

  it('says how the list itself is treated', async () => {
    const passed = await run([
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
    const refused = await run(['explain', '--tool', 'refund', '--claims', '{"groups":["support"]}'])
    expect(refused.output).toMatch(/^tools\/list is refused itself, so it shows nothing\.$/m)
  })

  it('asks about methods as clients send them: notifications have no id', async () => {
    expect((await ask('--method', 'notifications/initialized')).code).toBe(0)
    expect((await ask('--method', 'tools/list')).output).not.toMatch(/tools\/list (?:shows|does not)/)
    expect(await ask('--method', 'tasks/get', '--args', '{"taskId":"1"}')).toMatchObject({
      code: 3,
      output: expect.stringContaining('403 without a challenge (policy_denied)'),
    })
    const params = '{"ref":{"type":"ref/resource","uri":"ticket://{id}"},"argument":{"name":"id","value":"4"}}'
    expect((await ask('--method', 'completion/complete', '--args', params)).code).toBe(0)
  })

  it('takes the endpoint for messages where there is HTTP+SSE alone, which answers what is hidden with 400', async () => {
    const server = '{ sse: { path: /sse, upstream: "http://localhost/sse" }, rules: [{ tool: a, deny: true, on_deny: hide }] }'
    writeFileSync(join(directory, 'sse.yaml'), `issuers: [https://idp.example.com]\nservers: [${server}]\n`)
    const { code, output } = await run(['explain', 'sse.yaml', '--tool', 'a', '--claims', '{}'])
    expect(code).toBe(3)
    expect(output).toMatch(/gets 400 with/)
  })

  it('says when the groups are not known, and why', async () => {
    const claims = JSON.stringify({ sub: 'alice', groups: { support: true }, scope: 'tickets' })
    const { code, output } = await run(['explain', '--tool', 'refund', '--claims', claims])
    expect(code).toBe(3)
    expect(output.replaceAll(/\s+/g, ' ')).toMatch(/groups not known: the claim groups/)
  })

  it('says of a token of the proxy itself, which does not run, what to do instead', async () => {
    writeFileSync(join(directory, 'secret'), 'a-secret-of-the-client')
    const secret = `{ file: "${join(directory, 'secret')}" }`
    const signIn = `identity_provider: { kind: google, client_id: a, client_secret: ${secret} }`
    writeFileSync(
      join(directory, 'broker.yaml'),
      `public_url: http://localhost:1\nstore: { kind: memory }\n${signIn}\nservers: [{ path: /a, upstream: "http://localhost/mcp" }]\n`,
    )
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const claims = { iss: 'http://localhost:1', aud: 'http://localhost:1/a', sub: 'x', client_id: 'c', exp: 4_000_000_000 }
    writeFileSync(join(directory, 'token'), `${part({ alg: 'ES256', kid: 'k', typ: 'at+jwt' })}.${part(claims)}.AAAA`)
    const { code, output } = await run(['explain', 'broker.yaml', '--tool', 'x', '--token', join(directory, 'token')])
    expect(code).toBe(3)
    expect(output.replaceAll(/\s+/g, ' ')).toContain('start it, or explain these users by --claims.')
  })

  it('needs no secrets of the configuration with --no-secrets, but for a token', async () => {
    writeFileSync(join(directory, 'secret.yaml'), `session_key: { env: NO_SUCH_VARIABLE }\n${TICKETS}`)
    const argv = ['explain', 'secret.yaml', '--tool', 'search_x', '--claims', alice]
    expect(await run(argv)).toMatchObject({ code: 2, error: expect.stringContaining('NO_SUCH_VARIABLE') })
    expect(await run([...argv, '--no-secrets'])).toMatchObject({ code: 0, error: '' })
  })

  it.each([
    [['--tool', 'a', '--token', '-', '--no-secrets'], /--no-secrets .* --claims/],
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
    [['missing.yaml', '--claims', '{}', '--tool', 'a'], /no such file/],
  ])('tells a mistake of the command line and exits with 2: %j', async (argv, message) => {
    expect(await run(['explain', ...argv])).toMatchObject({ code: 2, output: '', error: expect.stringMatching(message) })
  })

  it('is what other words mean', async () => {
    expect((await run(['why'])).error).toContain('Did you mean explain?')
    expect((await run(['policy'])).error).toContain('Did you mean rules?')
    expect((await run(['check', '--tool', 'x'])).error).toContain('--tool is for the command explain.')
    expect((await run(['check', '--json'])).error).toContain(
      '--json is for the commands doctor, explain, users, clients, sessions and keys.',
    )
  })
})
