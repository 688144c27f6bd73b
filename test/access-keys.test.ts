// Callers without a browser: `keys` of the command line against a running proxy, its store and its file.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { parse } from 'yaml'
import { createFileKey, type KeyStageOptions, startKeyStage } from './support/key-stage.ts'
import { controlStream } from './support/recording-upstream.ts'

const open: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

async function start(options: KeyStageOptions = {}) {
  const stage = await startKeyStage(options)
  open.push(stage.close)
  return stage
}

const NIGHTLY = ['--name', 'nightly', '--server', 'files', '--scopes', 'files:read']
const OTHER = ['--name', 'other', '--server', 'files', '--scopes', 'files:read']
const sqliteKeys = { store: { kind: 'sqlite', path: 'keys.db' } }

async function openAgain(origin: string, key: string): Promise<Response> {
  const response = await fetch(`${origin}/files`, { headers: { authorization: `Bearer ${key}`, accept: 'text/event-stream' } })
  await response.body?.cancel()
  return response
}

/** As the documentation gives it to secret scanners. */
const SCANNED = /\bomap_[0-9A-Za-z]{49}\b/

describe('keys create', () => {
  it('prints a key alone on standard output, and all about it beside', async () => {
    const { ask } = await start()
    const { code, output, error } = await ask('keys', 'create', ...NIGHTLY, '--days', '30')
    expect([code, output]).toEqual([0, expect.stringMatching(new RegExp(`^${SCANNED.source}\\n$`))])
    const inThirtyDays = new Date(Date.now() + 30 * 86_400_000).toISOString().slice(0, 10)
    expect(error).toMatch(/^Access key nightly \(id [0-9a-f]{16}\) for no user: servers files, scopes files:read\.\n/)
    expect(error).toContain(`It expires ${inThirtyDays}`)
    expect(error).not.toMatch(SCANNED)
  })

  it('makes a key that is accepted at once, with its scopes and at its servers alone', async () => {
    const { create, call, upstream } = await start()
    const key = await create(...NIGHTLY)
    expect((await call(key)).status).toBe(200)
    expect(upstream.requests.at(-1)?.headers).not.toHaveProperty('authorization')
    const elsewhere = await call(key, '/web')
    expect([elsewhere.status, elsewhere.challenge]).toEqual([401, expect.stringContaining('error="invalid_token"')])
    const narrow = await create('--name', 'narrow', '--server', 'files,web')
    expect((await call(narrow, '/web')).status).toBe(200)
    const lacking = await call(narrow)
    expect([lacking.status, lacking.challenge]).toEqual([403, expect.stringMatching(/scope="files:read".*insufficient_scope/)])
  })

  it('is told what is wrong with the key that is asked for', async () => {
    const { ask } = await start()
    for (const [words, code, message] of [
      [['--server', 'files'], 2, /--name is missing/],
      [['--name', 'x'], 2, /--server is missing/],
      [[...NIGHTLY, '--days', '400'], 2, /--days is a number from 1 to 366/],
      [[...NIGHTLY, '--days', '0'], 2, /--days is a number/],
      [[...NIGHTLY, '--issuer', 'https://idp.example.com'], 2, /--user is missing/],
      [['--name', 'x', '--server', 'fils'], 1, /there is no server "fils", but files, web/],
      [['--name', 'a b', '--server', 'files'], 1, /name: use up to 64 letters/],
      [['--name', 'x', '--server', 'files', '--scopes', 'a"b'], 1, /"a\\"b" is no scope/],
      [['--name', 'x', '--server', 'files', '--address', '10.0.0.0/33'], 1, /is no address or CIDR block/],
      [
        [...NIGHTLY, '--user', 'alice', '--issuer', 'https://other.example'],
        1,
        /no server accepts tokens of the issuer "https:\/\/other\.example", but of http:\/\/(?!.*urn:)/,
      ],
      [[...NIGHTLY, '--user', 'alice', '--for', 'bob'], 2, /--for is another spelling of --user here/],
      [[...NIGHTLY, 'other.yaml'], 2, /goes behind --config: keys create --config other\.yaml\./],
      [['nightly', '--server', 'files'], 2, /The name of the key goes behind --name\./],
    ] as const) {
      const result = await ask('keys', 'create', ...words)
      expect([result.code, result.error]).toEqual([code, expect.stringMatching(message)])
    }
    expect((await ask('keys', 'list', '--name', 'x')).error).toContain('--name is for keys create.')
    expect((await ask('keys')).error).toContain('Say what to do: keys create, list, revoke, hash.')
  })

  it('tells which scopes are of no use at its servers, and which are missing there', async () => {
    const who = "'files:admin' in principal.scopes"
    const rules = [{ tool: 'write', scopes: ['files:write'] }]
    const { ask } = await start({ server: { rules, access: [{ who, tools: ['*'] }], scope_hierarchy: { all: ['files:read'] } } })
    const notices = async (scopes: string) => {
      const { code, error } = await ask('keys', 'create', '--name', 'x', '--server', 'files,web', '--scopes', scopes)
      expect(code).toBe(0)
      return error.split('\n').filter((line) => line.startsWith('notice'))
    }
    expect(await notices('files:read files:write files:admin')).toEqual([])
    expect(await notices('all')).toEqual([])
    expect(await notices('files:reed files:write')).toEqual([
      'notice The server files needs the scope files:read for every request, and the key does not have it.',
      'notice Nothing in the configuration of files and web asks for the scope files:reed.',
    ])
  })

  it('says that no user signs in where servers accept access keys only, and takes a user without an issuer', async () => {
    const keys = [createFileKey().entry, createFileKey({ servers: ['web'] }).entry]
    const { ask } = await start({ config: { keys, issuers: [] }, server: { issuers: [] }, web: { issuers: [] } })
    const refused = await ask('keys', 'create', ...NIGHTLY, '--user', 'alice', '--issuer', 'https://idp.example.com')
    expect([refused.code, refused.error]).toEqual([1, expect.stringMatching(/no user signs in here.*Leave it out/)])
    const made = await ask('keys', 'create', ...NIGHTLY, '--user', 'alice', '--issuer', 'keys')
    expect([made.code, made.error]).toEqual([0, expect.stringContaining('for the user alice of urn:open-mcp-auth-proxy:keys')])
  })

  it('explains itself and no other command', async () => {
    const { ask } = await start()
    const { code, output } = await ask('keys', '--help')
    expect([code, output]).toEqual([0, expect.stringMatching(/^Usage:\n {2}keys create[\s\S]*keys revoke NAME[\s\S]*--days N/)])
    expect(output).not.toMatch(/doctor \[FILE\]|--upstream|explain:/)
    expect((await ask('keys', 'create', '--help')).output).toBe(output)
    expect((await ask('sessions', '--help')).output).toMatch(/--sid ID[\s\S]*--user SUBJECT +sessions list: of this user\n/)
  })

  it('refuses a server that gets a token of its caller', async () => {
    const { ask } = await start({ server: { forward_access_token: true } })
    const { code, error } = await ask('keys', 'create', ...NIGHTLY)
    expect([code, error]).toEqual([1, expect.stringContaining('gets a token of its caller')])
  })

  it('makes the address count as trusted proxies tell it', async () => {
    const { create, call } = await start({ config: { trusted_proxies: ['127.0.0.1', '::1'] } })
    const key = await create(...NIGHTLY, '--address', '10.1.0.0/16', '--address', '2001:db8::/32')
    const from = async (address: string) => (await call(key, '/files', { 'x-forwarded-for': address })).status
    expect([await from('10.1.2.3'), await from('10.2.2.3'), await from('2001:db8::1'), await from('2001:db9::1')]).toEqual([
      200, 401, 200, 401,
    ])
    expect([await from('::ffff:10.1.2.3'), await from('10.1.2.3, 10.2.0.1')]).toEqual([200, 401])
    expect((await call(key)).status).toBe(401)
  })
})

describe('keys list and keys revoke', () => {
  it('show the name and its use, and end the key at once with what it has open', async () => {
    const stream = controlStream()
    const { create, status, ask, origin } = await start({ answer: stream.answer })
    const [key, other] = [await create(...NIGHTLY), await create(...OTHER)]
    const answered = fetch(`${origin}/files`, { headers: { authorization: `Bearer ${key}`, accept: 'text/event-stream' } })
    await stream.opened
    await stream.send('data: 1\n\n')
    const text = (await answered).text()
    const listed = JSON.parse((await ask('keys', 'list', '--json')).output)
    expect(listed.keys).toMatchObject([
      { name: 'nightly', servers: ['files'], scopes: ['files:read'], state: 'active', source: 'store' },
      { name: 'other', state: 'active' },
    ])
    expect(Date.parse(listed.keys[0].last_used)).toBeGreaterThan(Date.now() - 60_000)
    expect(listed.keys[1].last_used).toBeUndefined()
    expect((await ask('keys', 'list')).output).toMatch(/^keys:\n +NAME +ID /)
    const { code, output } = await ask('keys', 'revoke', 'nightly')
    expect([code, output]).toEqual([0, expect.stringMatching(/^Access key nightly .*: revoked\. It is refused within two/)])
    expect(await text).toBe('data: 1\n\n')
    expect(await status(key)).toBe(401)
    expect((await ask('keys', 'list', '--json')).output).not.toContain(other)
    const unknown = await ask('keys', 'revoke', 'nobody')
    expect([unknown.code, unknown.error]).toEqual([1, expect.stringContaining('there is no access key "nobody"')])
  })

  it('tell two keys of one name apart by their ids, while one replaces the other', async () => {
    const { create, status, ask } = await start()
    const [before, after] = [await create(...NIGHTLY), await create(...NIGHTLY)]
    expect([await status(before), await status(after)]).toEqual([200, 200])
    const { keys } = JSON.parse((await ask('keys', 'list', '--json')).output)
    await ask('keys', 'revoke', keys[0].id)
    expect([await status(before), await status(after)].sort()).toEqual([200, 401])
  })

  it('do not take the key itself, which everyone on the machine could read', async () => {
    const { create, ask, log } = await start()
    const key = await create(...NIGHTLY)
    const { code, error } = await ask('keys', 'revoke', key)
    expect([code, error]).toEqual([2, expect.stringMatching(/by its name or id.*revoke it/)])
    expect(error + log.text()).not.toContain(key)
  })
})

describe('the user that a key stands for', () => {
  it('is none of the users who sign in, unless the issuer was named', async () => {
    const { create, call, issuer, log, ask } = await start()
    const own = await create(...NIGHTLY, '--for', 'alice')
    const named = await create(
      '--name',
      'ci',
      '--server',
      'files',
      '--scopes',
      'files:read',
      '--user',
      'alice',
      '--issuer',
      issuer.issuer,
    )
    await call(own)
    await call(named)
    const lines = log.records().filter(({ key }) => key !== undefined)
    expect(lines).toMatchObject([
      { issuer: 'urn:open-mcp-auth-proxy:keys', subject: 'alice', client_id: 'nightly', key: 'nightly' },
      { issuer: issuer.issuer, subject: 'alice', client_id: 'ci', key: 'ci' },
    ])
    await ask('users', 'revoke', 'alice', '--issuer', issuer.issuer)
    expect([(await call(own)).status, (await call(named)).status]).toEqual([200, 401])
    await ask('users', 'revoke', 'alice', '--issuer', 'keys')
    expect((await call(own)).status).toBe(401)
  })

  it('loses its keys and streams where a reload takes its issuer out of every server, and has them again when it comes back', async () => {
    const stream = controlStream()
    const { create, status, origin, issuer, write, reload, log } = await start({ answer: stream.answer })
    const named = await create(...NIGHTLY, '--for', 'alice', '--issuer', issuer.issuer)
    const answered = fetch(`${origin}/files`, { headers: { authorization: `Bearer ${named}`, accept: 'text/event-stream' } })
    await stream.opened
    await stream.send('data: 1\n\n')
    const text = (await answered).text()
    write({ issuers: ['https://other.example.com'] })
    expect(await reload()).toMatchObject({ outcome: 'reloaded' })
    expect(await text).toBe('data: 1\n\n')
    expect(await status(named)).toBe(401)
    // The other issuer, which cannot be reached, has a line of its own at any time.
    const refused = log.records().findLast(({ code }) => code !== undefined)
    expect(refused).toMatchObject({ code: 'token_invalid', reason: 'access_key_issuer' })
    write({})
    expect(await reload()).toMatchObject({ outcome: 'reloaded' })
    expect((await openAgain(origin, named)).status).toBe(200)
  })

  it('is refused by explain, too, where no server accepts its issuer', async () => {
    const { create, ask, issuer, write, folder, stop } = await start({ config: sqliteKeys })
    const named = await create(...NIGHTLY, '--for', 'alice', '--issuer', issuer.issuer)
    await stop()
    write({ ...sqliteKeys, issuers: ['https://other.example.com'] })
    writeFileSync(join(folder, 'key'), named)
    const { code, output } = await ask('explain', '--server', 'files', '--tool', 'search', '--token', join(folder, 'key'))
    expect([code, output.replace(/\s+/g, ' ')]).toEqual([3, expect.stringContaining('whose tokens no server accepts')])
  })

  it('loses all keys with `users revoke`, for good, and may be given new ones', async () => {
    const { create, status, ask, issuer } = await start()
    const own = await create(...NIGHTLY, '--for', 'alice')
    const named = await create(...NIGHTLY, '--for', 'alice', '--issuer', issuer.issuer)
    const other = await create(...NIGHTLY, '--for', 'bob')
    const { output } = await ask('users', 'revoke', 'alice', '--json')
    expect(JSON.parse(output).keys).toEqual(['nightly', 'nightly'])
    expect([await status(own), await status(named), await status(other)]).toEqual([401, 401, 200])
    const later = await create(...NIGHTLY, '--for', 'alice', '--issuer', issuer.issuer)
    expect(await status(later)).toBe(200)
    await ask('users', 'revoke', 'alice', '--block')
    expect(await status(await create(...NIGHTLY, '--for', 'alice', '--issuer', issuer.issuer))).toBe(401)
  })

  it('is refused by the deny list, as the token of its id and as the client of its name', async () => {
    const { create, status, ask } = await start()
    const [first, second] = [await create(...NIGHTLY), await create(...OTHER)]
    const { keys } = JSON.parse((await ask('keys', 'list', '--json')).output)
    await ask('sessions', 'end', '--jti', keys[0].id, '--issuer', 'keys')
    expect([await status(first), await status(second)]).toEqual([401, 200])
    // For good: the denial of a token ends, and a key may last for a year.
    const after = JSON.parse((await ask('keys', 'list', '--json')).output).keys
    expect(after).toMatchObject([{ state: 'revoked' }, { state: 'active' }])
    await ask('clients', 'revoke', 'other', '--issuer', 'keys', '--block')
    expect([await status(second), await status(await create(...OTHER))]).toEqual([401, 401])
  })

  it('is told to an MCP server that asks who calls', async () => {
    const { create, call, upstream } = await start({
      server: { identity: {} },
      config: { store: { kind: 'memory' } },
    })
    expect((await call(await create(...NIGHTLY, '--for', 'alice'))).status).toBe(200)
    const told = upstream.requests.at(-1)?.headers ?? {}
    const assertion = Object.values(told)
      .flat()
      .find((value) => value?.includes('eyJ'))
    const claims = JSON.parse(Buffer.from(assertion?.split('.')[1] ?? '', 'base64url').toString('utf8'))
    expect(claims).toMatchObject({ client_id: 'nightly', scope: 'files:read' })
    expect(claims.iss).not.toBe('urn:open-mcp-auth-proxy:keys')
    expect(JSON.stringify(claims)).toContain('alice')
  })

  it('is in no known group, so that neither a group nor its absence opens anything; a machine is in none', async () => {
    const who = "!('contractors' in principal.groups)"
    const { create, call } = await start({ server: { access: [{ who, methods: ['tasks/list'] }] } })
    const [ofUser, ofMachine] = [await create(...NIGHTLY, '--for', 'alice'), await create(...NIGHTLY)]
    const ask = async (key: string) => (await call(key, '/files', {}, 'tasks/list')).status
    expect([await ask(ofUser), await ask(ofMachine)]).toEqual([403, 200])
  })
})

describe('policy', () => {
  it('sees a key by its name, and a rate limit counts it', async () => {
    const who = "principal.client_id == 'nightly' && principal.issuer == 'urn:open-mcp-auth-proxy:keys'"
    const server = {
      access: [{ who, methods: ['tasks/list'] }],
      rate_limits: [{ per: ['client'], calls_per_minute: 2 }],
    }
    const { create, call } = await start({ server })
    const [key, other] = [await create(...NIGHTLY), await create(...OTHER)]
    const ask = async (one: string) => (await call(one, '/files', {}, 'tasks/list')).status
    expect([await ask(key), await ask(other), await ask(key), await ask(key)]).toEqual([200, 403, 200, 429])
  })
})

describe('the log and the audit log', () => {
  it('have the name and the id of a key, and never the key', async () => {
    const { create, call, log, auditFile, stop, events } = await start()
    const key = await create(...NIGHTLY)
    await call(key)
    await call(`${key.slice(0, -1)}${key.endsWith('0') ? '1' : '0'}`)
    await call(key, '/web')
    await vi.waitFor(() => expect(log.records().filter(({ server }) => server !== undefined)).toHaveLength(3))
    const [used, mistyped, elsewhere] = log.records().filter(({ server }) => server !== undefined)
    const { key_id: id } = used as { key_id: string }
    expect(used).toMatchObject({ status: 200, key: 'nightly', key_id: expect.stringMatching(/^[0-9a-f]{16}$/) })
    expect(mistyped).toMatchObject({ status: 401, code: 'token_invalid', reason: 'access_key_malformed' })
    expect(elsewhere).toMatchObject({ status: 401, reason: 'access_key_server', cause: 'the access key "nightly" is for files' })
    await stop()
    const audit = readFileSync(auditFile, 'utf8')
    expect(audit).toContain(`"key":"nightly","key_id":"${id}"`)
    expect(events).toContainEqual(
      expect.objectContaining({
        kind: 'admin_action',
        action: '/keys/create',
        parameters: expect.objectContaining({ name: 'nightly', servers: 'files', scopes: 'files:read' }),
      }),
    )
    expect(log.text() + audit + JSON.stringify(events)).not.toMatch(SCANNED)
  })
})

describe('a store that outlives the process', () => {
  const sqlite = { config: { store: { kind: 'sqlite', path: 'keys.db' } } }

  it('keeps keys and revocations over a restart, and takes both while the proxy does not run', async () => {
    const { create, status, ask, stop, start: restart } = await start(sqlite)
    const [running, revoked] = [await create(...NIGHTLY), await create(...OTHER)]
    await stop()
    const { output, error } = await ask('keys', 'create', ...NIGHTLY)
    expect(error).toContain('The proxy does not run here; its store is asked.')
    await ask('keys', 'revoke', 'other')
    const away = (await ask('keys', 'list')).output
    await restart()
    // As the admin listener has it, so has the store: what JSON leaves out moves no column.
    expect((await ask('keys', 'list')).output).toBe(away)
    expect(away).toMatch(/ NAME +ID +STATE +SOURCE +SERVERS +SCOPES +CREATED +EXPIRES( +LAST USED)?\n/)
    expect([await status(running), await status(output.trim()), await status(revoked)]).toEqual([200, 200, 401])
  })

  it('is written by the command line alone where there is no admin listener, and heard of within two seconds', async () => {
    const { create, status, ask, folder } = await start({ ...sqlite, admin: false })
    const key = await create(...NIGHTLY)
    await vi.waitFor(async () => expect(await status(key)).toBe(200), { interval: 100 })
    await ask('keys', 'revoke', 'nightly')
    await vi.waitFor(async () => expect(await status(key)).toBe(401), { interval: 100 })
    expect(readFileSync(join(folder, 'keys.db'), 'latin1')).not.toContain(key)
  })

  it('is needed, or the admin listener, to make a key', async () => {
    const { ask } = await start({ admin: false })
    const { code, error } = await ask('keys', 'create', ...NIGHTLY)
    expect([code, error]).toEqual([2, expect.stringMatching(/keeps its state in memory.*keys create --entry/)])
  })

  it('has admin.token named as what is missing where there is an admin listener without one', async () => {
    const { ask } = await start({ admin: false, config: { admin: { port: 0 } } })
    const { code, error } = await ask('keys', 'list')
    expect([code, error]).toEqual([2, expect.stringMatching(/Add .*`token: \{ env: ADMIN_TOKEN \}` to `admin`/)])
  })
})

describe('keys of the configuration', () => {
  it('are accepted as long as they stand there', async () => {
    const [mine, late] = [createFileKey(), createFileKey({ expires: '2020-01-01' })]
    const { status, write, reload, log } = await start({ config: { keys: [mine.entry, late.entry] } })
    expect([await status(mine.key), await status(late.key), await status(mine.key, '/web')]).toEqual([200, 401, 401])
    expect(log.records().filter(({ code }) => code !== undefined)).toMatchObject([
      { code: 'token_expired', cause: 'the access key "nightly" expired at 2020-01-01T00:00:00.000Z' },
      { code: 'token_audience_mismatch' },
    ])
    write({ keys: [] })
    expect(await reload()).toMatchObject({ outcome: 'reloaded', changed: ['keys'] })
    expect(await status(mine.key)).toBe(401)
  })

  it('can be revoked before they are removed from it', async () => {
    const { key, entry } = createFileKey()
    const { status, ask, reload } = await start({ config: { keys: [entry], store: { kind: 'sqlite', path: 'keys.db' } } })
    expect(await status(key)).toBe(200)
    expect((await ask('keys', 'revoke', 'nightly')).output).toContain('Remove it from `keys` in the configuration, too.')
    expect(await status(key)).toBe(401)
    await reload()
    expect(await status(key)).toBe(401)
    expect(JSON.parse((await ask('keys', 'list', '--json')).output).keys).toMatchObject([
      { name: 'nightly', state: 'revoked', source: 'configuration' },
    ])
  })

  it('are printed whole by `keys create --entry`, and `keys hash` prints the digest of one', async () => {
    const { ask, write, reload, status, folder } = await start()
    const { output } = await ask('keys', 'create', ...NIGHTLY, '--for', 'alice', '--address', '127.0.0.1/32,::1', '--entry')
    const [key = '', , ...entry] = output.split('\n')
    write(parse(entry.join('\n')))
    expect(await reload()).toMatchObject({ outcome: 'reloaded' })
    expect(await status(key)).toBe(200)
    writeFileSync(join(folder, 'key'), `${key}\n`)
    expect(output).toContain((await ask('keys', 'hash', '--token', join(folder, 'key'))).output.trim())
    writeFileSync(join(folder, 'key'), `${key}x`)
    const wrong = await ask('keys', 'hash', '--token', join(folder, 'key'))
    expect([wrong.code, wrong.error]).toEqual([2, expect.not.stringContaining(key)])
  })
})

describe('a server without an issuer', () => {
  it('accepts access keys alone, and its metadata names no authorization server', async () => {
    const { key, entry } = createFileKey()
    const stage = await start({ server: { issuers: [] }, config: { keys: [entry] } })
    expect(await stage.status(key)).toBe(200)
    expect(await stage.status(await stage.issuer.mint({ claims: { aud: `${stage.origin}/files`, scope: 'files:read' } }))).toBe(
      401,
    )
    const metadata = await (await fetch(`${stage.origin}/.well-known/oauth-protected-resource/files`)).json()
    expect(metadata).toEqual({
      ...{ resource: `${stage.origin}/files`, scopes_supported: ['files:read'] },
      ...{ bearer_methods_supported: ['header'], resource_name: 'files' },
    })
    expect((await stage.call('')).challenge).toContain('resource_metadata=')
  })
})

describe('explain and rules test', () => {
  const who = "principal.issuer == 'urn:open-mcp-auth-proxy:keys' && principal.client_id == 'nightly'"

  it('know a key of the store and of the configuration, and why one is refused', async () => {
    const { key, entry } = createFileKey({ addresses: ['192.0.2.0/24'] })
    const access = [{ who, tools: ['search'] }]
    const { create, ask, folder } = await start({
      server: { access },
      config: { keys: [entry], store: { kind: 'sqlite', path: 'keys.db' } },
    })
    const explain = async (text: string, tool: string) => {
      writeFileSync(join(folder, 'key'), text)
      const { code, output } = await ask('explain', '--server', 'files', '--tool', tool, '--token', join(folder, 'key'))
      expect(output).not.toContain(text)
      return { code, output }
    }
    const [stored, other] = [await create(...NIGHTLY), await create(...OTHER)]
    expect([(await explain(key, 'search')).code, (await explain(stored, 'search')).code]).toEqual([0, 0])
    expect((await explain(key, 'search')).output).toContain('From which address the access key comes is not looked at.')
    expect([(await explain(stored, 'drop')).code, (await explain(other, 'search')).code]).toEqual([3, 3])
    await ask('keys', 'revoke', 'nightly')
    expect((await explain(stored, 'search')).output.replace(/\s+/g, ' ')).toContain('"nightly" was revoked')
    expect((await explain(`${other}x`, 'search')).output).toMatch(/length or checksum\s+is\s+wrong/)
  })

  it('take the claims of a key', async () => {
    const { ask, folder } = await start({ server: { access: [{ who, tools: ['search'] }] } })
    const claims = { iss: 'urn:open-mcp-auth-proxy:keys', client_id: 'nightly', scope: 'files:read' }
    const asked = ['explain', '--server', 'files', '--tool', 'search', '--claims']
    expect((await ask(...asked, JSON.stringify(claims))).code).toBe(0)
    expect((await ask(...asked, JSON.stringify({ ...claims, client_id: 'other' }))).code).toBe(3)
    expect((await ask(...asked, JSON.stringify({ ...claims, client_id: 1 }))).output).toContain('token_invalid')
    const principal = { issuer: claims.iss, client_id: 'nightly', scopes: ['files:read'] }
    const cases = [
      { principal, server: 'files', tool: 'search', expect: 'permit' },
      { principal: { ...principal, client_id: 'other' }, server: 'files', tool: 'search', expect: 'hide' },
    ]
    writeFileSync(join(folder, 'cases.json'), JSON.stringify({ cases }))
    const { code, output, error } = await ask('rules', 'test', join(folder, 'cases.json'))
    expect([code, output + error]).toEqual([0, expect.stringMatching(/2/)])
  })
})
