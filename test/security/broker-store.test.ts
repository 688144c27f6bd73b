// What a reader of the store learns: who is a client and a user since when, by digests, and nothing that could be used.
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readHidden } from '../../demo/browser.ts'
import { hashId } from '../../src/core/hash-id.ts'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import { signInBrowser } from '../support/broker-browser.ts'
import {
  authorize,
  createBrowser,
  createRawClient,
  createRequest,
  obtainTokens,
  openConsentPage,
  type RawClient,
  readJson,
  redeem,
  refresh,
  sendConsent,
} from '../support/broker-client.ts'
import { BROKER_CLIENT_SECRET, type BrokerStage, startBrokerStage } from '../support/broker-stage.ts'

const [alice, bob] = SAMPLE_USERS
const KEY = randomBytes(32).toString('base64')
const STATE = 'state-of-the-client-0123456789'
const NONCE = 'nonce-of-the-client-0123456789'

let folder: string
let stage: BrokerStage
let origin: string
let database: DatabaseSync

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'store-secrets-'))
  const path = join(folder, 'broker.db')
  stage = await startBrokerStage({
    broker: { store: { kind: 'sqlite', path }, encryption_keys: [{ env: 'KEY' }] },
    env: { KEY },
  })
  origin = stage.proxy.origin
  database = new DatabaseSync(path)
})
afterAll(async () => {
  database?.close()
  await stage?.close()
  rmSync(folder, { recursive: true, force: true })
})

function readStore(): { kinds: Set<unknown>; text: string } {
  const rows = [...database.prepare('SELECT * FROM entries').all(), ...database.prepare('SELECT * FROM memberships').all()]
  return { kinds: new Set(rows.map(({ kind }) => kind)), text: JSON.stringify(rows) }
}

/** The secrets that stand in the store, in any spelling that one could read. */
function findIn(text: string, secrets: Readonly<Record<string, string | undefined>>): string[] {
  return Object.entries(secrets).flatMap(([name, secret]) => {
    expect([name, (secret ?? '').length > 4]).toEqual([name, true])
    const spellings = ['utf8', 'base64', 'base64url', 'hex'].map((coding) => Buffer.from(secret ?? '').toString(coding as 'utf8'))
    return spellings.some((spelling) => text.includes(spelling.replace(/=+$/, ''))) ? [name] : []
  })
}

const ask = (client: RawClient) => createRequest(origin, client, { state: STATE, scope: 'openid mcp:tools', nonce: NONCE })

it('holds no secret in the clear, at no point of a sign-in', async () => {
  const client = await createRawClient(origin, { token_endpoint_auth_method: 'client_secret_basic' })
  const request = ask(client)
  const browser = createBrowser()
  const page = await openConsentPage(browser, request.url)
  const known = {
    'client secret': client.secret,
    state: STATE,
    nonce: NONCE,
    verifier: request.verifier,
    challenge: request.url.searchParams.get('code_challenge') ?? undefined,
    'form token': readHidden(page.html).form_token,
    'subject’s address': String(alice.claims?.email),
    'encryption key': KEY,
    'secret at the identity provider': BROKER_CLIENT_SECRET,
  }
  const listCookies = ({ cookies }: typeof browser) =>
    Object.fromEntries([...cookies].filter(([name]) => !name.endsWith('.sig')).map(([name, value]) => [name, value]))
  const asking = readStore()
  expect([...asking.kinds]).toEqual(expect.arrayContaining(['Client', 'Interaction']))
  // The path of the consent page names the interaction: of itself it opens nothing, and the store has it by its digest only.
  expect(findIn(asking.text, { ...known, ...listCookies(browser) })).toEqual([])

  const away = await (await sendConsent(browser, page)).text()
  const atProvider = new URL(/url=([^"]*)"/.exec(away)?.[1]?.replaceAll('&#38;', '&') ?? '')
  const sent = { 'state there': atProvider.searchParams.get('state') ?? undefined }
  const waiting = readStore()
  expect([...waiting.kinds]).toEqual(expect.arrayContaining(['AwayUser']))
  expect(findIn(waiting.text, { ...known, ...sent, ...listCookies(browser) })).toEqual([])

  const signedIn = await signInBrowser(request.url, alice)
  const code = await authorize(origin, client, alice, { state: STATE })
  const during = readStore()
  expect([...during.kinds]).toEqual(expect.arrayContaining(['AuthorizationCode', 'Session', 'Grant', 'Account']))
  expect(findIn(during.text, { ...known, ...listCookies(signedIn), code: code.code })).toEqual([])

  const authorization = `Basic ${Buffer.from(`${client.id}:${client.secret}`).toString('base64')}`
  const tokens = await readJson(await redeem(origin, client, code, {}, { authorization }))
  const after = readStore()
  expect([...after.kinds]).toEqual(expect.arrayContaining(['RefreshToken']))
  const given = { access: tokens.access_token, refresh: tokens.refresh_token }
  expect(findIn(after.text, { ...known, ...given, ...listCookies(signedIn), code: code.code })).toEqual([])
})

it('accepts nothing that a writer of the store has put in the clear, or in the place of something else', async () => {
  const client = await createRawClient(origin)
  const other = await createRawClient(origin, { redirectUri: 'https://other.example/cb' })
  const begin = async ({ id, redirectUri }: RawClient) =>
    (await fetch(createRequest(origin, { id, redirectUri, secret: undefined }).url, { redirect: 'manual' })).status
  expect([await begin(client), await begin(other)]).toEqual([303, 303])
  const write = (value: string) => database.prepare("UPDATE entries SET value = ? WHERE kind = 'Client'").run(value)
  const read = (id: string) =>
    String(database.prepare("SELECT value FROM entries WHERE kind = 'Client' AND id = ?").get(hashId(id))?.value)
  const [own, others] = [read(client.id), read(other.id)]
  write(own)
  expect([await begin({ ...client, id: other.id }), await begin(other), await begin(client)]).toEqual([401, 401, 303])
  write(others)
  expect([await begin({ ...other, id: client.id }), await begin(client), await begin(other)]).toEqual([401, 401, 303])
  write(JSON.stringify({ client_id: client.id, redirect_uris: [client.redirectUri] }))
  expect([await begin(client), await begin(other)]).toEqual([401, 401])
})

it('gives no user what was kept of another, whatever a writer of the store puts in its place', async () => {
  const client = await createRawClient(origin)
  await obtainTokens(origin, client, bob)
  const tokens = await obtainTokens(origin, client, alice)
  const accounts = database.prepare("SELECT id, value FROM entries WHERE kind = 'Account'").all()
  expect(accounts).toHaveLength(2)
  const write = database.prepare("UPDATE entries SET value = ? WHERE kind = 'Account' AND id = ?")
  for (const { id } of accounts) write.run(String(accounts.find((other) => other.id !== id)?.value), String(id))
  expect((await refresh(origin, client, tokens.refresh_token)).status).toBe(400)
})

describe('what a user has allowed', () => {
  const ALL = 'mcp:tools mcp:admin'
  const readConsents = () => {
    const rows = database.prepare("SELECT id, value FROM entries WHERE kind = 'AllowedScopes'").all()
    return new Map(rows.map(({ id, value }) => [String(id), String(value)]))
  }
  /** Signs alice in for a new client. Returns that, her browser, and the entry of what she allowed. */
  const allow = async (scope: string) => {
    const client = await createRawClient(origin)
    const before = readConsents()
    const browser = await signInBrowser(createRequest(origin, client, { scope }).url, alice)
    const [[id, entry] = ['', ''], ...more] = [...readConsents()].filter(([one]) => !before.has(one))
    expect(more).toEqual([])
    const [name = '', value = ''] = entry.split(/ (.*)/s)
    const write = (text: string) =>
      database.prepare("UPDATE entries SET value = ? WHERE kind = 'AllowedScopes' AND id = ?").run(`${name} ${text}`, id)
    const ask = async (asked: string) =>
      (await browser.open(createRequest(origin, client, { scope: asked }).url)).headers.get('location')
    return { ask, value, write }
  }

  it('is not what a writer of the store says, in the clear or by what the user allowed to another client', async () => {
    const [narrow, wide] = [await allow('mcp:tools'), await allow(ALL)]
    expect(await narrow.ask('mcp:tools')).toContain('code=')
    for (const forged of [JSON.stringify(ALL.split(' ')), wide.value]) {
      narrow.write(forged)
      expect(await narrow.ask(ALL)).toContain('/sign-in/')
      expect(await narrow.ask('mcp:tools')).toContain('/sign-in/')
    }
    narrow.write(narrow.value)
    expect(await narrow.ask('mcp:tools')).toContain('code=')
  })

  it('is nothing that a reader of the store sees', async () => {
    await allow(ALL)
    expect(findIn(readStore().text, { scope: 'mcp:tools' })).toEqual([])
  })
})
