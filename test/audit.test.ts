import { hash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { waitUntil } from './support/processes.ts'
import { runCommand } from './support/run-command.ts'
import { type Stage, type StageOptions, startStage } from './support/stage.ts'

let folder: string
let file: string
let stage: Stage | undefined
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'audit-'))
  file = join(folder, 'audit.jsonl')
})
afterEach(async () => {
  await stage?.close()
  stage = undefined
  rmSync(folder, { recursive: true, force: true })
})

async function start(audit: object = {}, options: StageOptions = {}): Promise<Stage> {
  stage = await startStage({ ...options, config: { ...options.config, audit: { file, ...audit } } })
  return stage
}

type Record_ = Readonly<Record<string, unknown>>

const read = (path = file): Record_[] =>
  readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))

const requests = (): Record_[] => read().filter(({ type }) => type === 'request')

async function waitForRequests(count: number): Promise<Record_[]> {
  await waitUntil(() => requests().length >= count, `${count} records`)
  return requests()
}

async function send(body: unknown, more: { token?: string; path?: string } = {}): Promise<Response> {
  const { proxy, token } = stage as Stage
  const response = await fetch(`${proxy.origin}${more.path ?? '/mcp'}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${more.token ?? token}`, 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  await response.arrayBuffer()
  return response
}

const call = (name: string, args: object = {}) => ({
  jsonrpc: '2.0',
  id: 1,
  method: 'tools/call',
  params: { name, arguments: args },
})

describe('a record of the audit log', () => {
  it('says who called what, with a digest of the arguments as they came, what was decided and what came of it', async () => {
    const { issuer } = await start()
    await send('{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","arguments":{ "text" : "ä" }}}')
    const [record] = await waitForRequests(1)
    expect(record).toMatchObject({
      audit: 1,
      type: 'request',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      began: expect.stringMatching(/Z$/),
      request_id: expect.any(String),
      server: 'mcp',
      method: 'POST',
      path: '/mcp',
      address: '127.0.0.1',
      issuer: issuer.issuer,
      subject: expect.any(String),
      client_id: expect.any(String),
      outcome: 'success',
      decision: 'permit',
      status: 200,
      duration_ms: expect.any(Number),
      operations: [
        {
          kind: 'request',
          method: 'tools/call',
          target: 'echo',
          id: '7',
          decision: 'permit',
          arguments_digest: hash('sha256', '{ "text" : "ä" }'),
        },
      ],
    })
    expect(JSON.stringify(record)).not.toContain('text')
  })

  it('names the rule that refused, and the access entry that opened', async () => {
    const access = [{ everyone: true as const, tools: ['echo', 'drop_*'] }]
    await start({}, { server: { access, rules: [{ tool: 'drop_*', deny: true }] } })
    await send(call('echo'))
    await send(call('drop_db'))
    await send(call('hidden'))
    expect(await waitForRequests(3)).toMatchObject([
      { outcome: 'success', operations: [{ decision: 'permit', decided_by: 'servers[0].access[0]' }] },
      {
        outcome: 'policy_denied',
        reason: 'rule_denied',
        decided_by: 'rules[0]',
        operations: [{ decision: 'deny', code: 'policy_denied', decided_by: 'rules[0]' }],
      },
      { outcome: 'target_hidden', operations: [{ decision: 'deny', code: 'target_hidden' }] },
    ])
  })

  it('has the decision on each operation of a batch, though the batch is refused as a whole', async () => {
    await start(
      {},
      {
        server: {
          rules: [
            { tool: 'drop_db', scopes: ['db:admin'] },
            { tool: 'maybe', deny: true, mode: 'shadow' },
          ],
        },
      },
    )
    const batch = [call('echo', { a: 1 }), { ...call('drop_db'), id: 2 }, { ...call('maybe'), id: 3 }]
    await send(batch)
    expect(await waitForRequests(1)).toMatchObject([
      {
        outcome: 'scope_insufficient',
        missing_scopes: ['db:admin'],
        operations: [
          { target: 'echo', decision: 'permit', arguments_digest: hash('sha256', '{"a":1}') },
          { target: 'drop_db', decision: 'deny', code: 'scope_insufficient' },
          { target: 'maybe', decision: 'permit', would_deny: [expect.stringContaining('rules[1]')] },
        ],
      },
    ])
  })

  it('keeps arguments where a rule asks for them, and no digest where none is wanted', async () => {
    await start({ arguments: 'none' }, { server: { rules: [{ tool: 'pay', audit_arguments: true as const }] } })
    await send(call('pay', { amount: 5 }))
    await send(call('echo', { amount: 5 }))
    const [pay, echo] = await waitForRequests(2)
    expect(pay).toMatchObject({ operations: [{ target: 'pay', arguments: '{"amount":5}' }] })
    expect(JSON.stringify(pay)).not.toContain('digest')
    expect(JSON.stringify(echo)).not.toMatch(/digest|amount/)
  })

  it('is written for requests that are refused before they are read, with whatever is known of them', async () => {
    await start()
    await send(call('echo'), { token: 'no-token-at-all' })
    await send('{"jsonrpc":"2.0","id":1,"method":"tools/call","id":2}')
    const [stranger, ambiguous] = await waitForRequests(2)
    expect(stranger).toMatchObject({ outcome: 'token_invalid', decision: 'deny', status: 401, server: 'mcp' })
    expect(stranger).not.toHaveProperty('subject')
    expect(ambiguous).toMatchObject({ outcome: 'json_ambiguous', status: 400, subject: expect.any(String) })
  })

  it('is not written for what is no request to an MCP server', async () => {
    const { proxy } = await start()
    for (const path of ['/healthz', '/.well-known/oauth-protected-resource/mcp', '/nowhere'])
      await fetch(`${proxy.origin}${path}`)
    await send(call('echo'))
    expect(await waitForRequests(1)).toHaveLength(1)
  })
})

describe('explain --audit --request', () => {
  it('explains a recorded request by its id, as explain does: each check, and what decides', async () => {
    const rules = [
      { tool: 'pay', require: "args.amount < 10 && 'mcp:tools' in principal.scopes", audit_arguments: true as const },
    ]
    const { issuer, upstream } = await start({}, { server: { rules } })
    await send(call('pay', { amount: 50 }))
    await send(call('pay', { amount: 5 }))
    await send(call('echo'), { token: 'no-token' })
    const ids = (await waitForRequests(3)).map(({ request_id: id }) => String(id))
    const config = join(folder, 'config.json')
    const server = { path: '/mcp', upstream: `${upstream.origin}/up`, scopes: ['mcp:tools'], rules }
    writeFileSync(config, JSON.stringify({ issuers: [issuer.issuer], servers: [server] }))
    const explain = (id: string) => runCommand(['explain', '--config', config, '--audit', file, '--request', id])
    const [denied, permitted, refused] = await Promise.all(ids.map(explain))
    expect([denied?.code, denied?.output]).toEqual([3, expect.stringMatching(/^Recorded: .*:\s+denied;\s+403,\s+policy_denied/)])
    expect(denied?.output).toMatch(/Denied by rules\[0\]: require is false/)
    expect(denied?.output).toContain('subject alice')
    expect(denied?.output).toContain('The exit code tells what was decided then: 3, not permitted.')
    expect([permitted?.code, permitted?.output]).toEqual([0, expect.stringContaining('Permitted.')])
    expect([refused?.code, refused?.output]).toEqual([
      3,
      expect.stringMatching(/refused before policy was\s+asked; 401, token_invalid/),
    ])
    expect(await explain('no-such-id')).toMatchObject({ code: 2, error: expect.stringContaining('No request "no-such-id"') })
    expect(await runCommand(['explain', '--config', config, '--request', 'x'])).toMatchObject({ code: 2 })
  })
})

describe('the file of the audit log', () => {
  it('is readable by its owner only, and begins and ends with the process', async () => {
    const { proxy } = await start()
    expect(statSync(file).mode & 0o777).toBe(0o600)
    await send(call('echo'))
    await proxy.close()
    expect(read().map(({ event, type }) => event ?? type)).toEqual(['process_started', 'request', 'process_stopped'])
    expect(readdirSync(folder)).toEqual(['audit.jsonl'])
  })

  it('is set aside when it is long, under a name with the time; as many are kept as are wanted', async () => {
    const { proxy } = await start({ rotate: { bytes: 4096, keep: 2 } })
    for (let count = 0; count < 60; count += 1) await send(call('echo', { count }))
    await proxy.close()
    const past = readdirSync(folder).filter((name) => name !== 'audit.jsonl')
    expect(past).toHaveLength(2)
    for (const name of past) {
      expect(name).toMatch(/^audit\.jsonl\.\d{8}T\d{6}\.\d{3}Z(-\d+)?$/)
      expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600)
      expect(read(join(folder, name)).length).toBeGreaterThan(5)
    }
  })

  it('is begun anew when another program has moved it away', async () => {
    await start()
    await send(call('echo'))
    await waitForRequests(1)
    renameSync(file, `${file}.1`)
    // Records go to the moved file, until its writer has looked.
    await waitUntil(async () => {
      await send(call('echo'))
      return readdirSync(folder).includes('audit.jsonl') && requests().length > 0
    }, 'a record in a new file')
    expect(statSync(file).mode & 0o777).toBe(0o600)
  })

  it('loses the end of a line that a crash left, and says so', async () => {
    writeFileSync(file, '{"audit":1,"type":"event"}\n{"audit":1,"ty')
    const { proxy } = await start()
    await proxy.close()
    expect(read()).toMatchObject([{ type: 'event' }, { event: 'process_started' }, { event: 'process_stopped' }])
    expect(proxy.log.text()).toContain('ended within a line, as after a crash. Its last 14 bytes were removed.')
  })

  it('has one writer: a second process waits for its turn, and loses nothing meanwhile', async () => {
    const first = await start()
    const second = await startStage({ config: { audit: { file } } })
    try {
      await second.proxy.log.waitFor(({ msg }) => String(msg).includes('writes this file already'))
      await first.proxy.close()
      await second.proxy.log.waitFor(({ msg }) => String(msg).includes('Records lost meanwhile: 0'))
      expect(read().filter(({ event }) => event === 'process_started')).toHaveLength(2)
    } finally {
      await second.close()
    }
  })
})
