// A former user of a shared browser who edits its cookies, so that they count as newer than those of its next user.
import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type BrowserCookie, createBrowserCookie } from '../../src/broker/pages/browser-cookie.ts'
import { createEncryption } from '../../src/core/encryption.ts'
import { closeServer, listenOnLoopback } from '../../src/sandbox/listen.ts'
import { type Browser, createBrowser } from '../support/broker-client.ts'
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts'

const MINUTE = 60_000
const [former, key] = [randomBytes(32), randomBytes(32)]

let clock: FakeClock
let cookie: BrowserCookie
let shared: Browser
let origin: string
const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '', 'http://localhost')
  const [user, secret] = [searchParams.get('user') ?? '', searchParams.get('secret') ?? '']
  if (pathname === '/sign-in') return void response.end(cookie.renew({ request, response }, `of ${user}`, user))
  if (pathname === '/page') return void response.end(cookie.findOrSet({ request, response }))
  response.end(String(cookie.hasOf(request, secret, user)))
})

beforeEach(async () => {
  clock = createFakeClock()
  cookie = createBrowserCookie(false, createEncryption([key]), clock)
  shared = createBrowser()
  origin = `http://127.0.0.1:${await listenOnLoopback(server, 0)}`
})
afterEach(() => closeServer(server))

const open = async (path: string) => (await shared.open(origin + path)).text()
const signIn = (user: string) => open(`/sign-in?user=${user}`)
const isOf = async (user: string, secret: string) => (await open(`/?user=${user}&secret=${secret}`)) === 'true'
const formatTime = (time: number) => time.toString(36).padStart(9, '0')

function edit(change: (name: string, value: string) => readonly [string, string]): void {
  const edited = [...shared.cookies].map(([name, value]) => change(name, value))
  shared.cookies.clear()
  for (const [name, value] of edited) shared.cookies.set(name, value)
}

describe('a sign-in of a former user of the browser', () => {
  it.each([
    ['nothing', 0],
    ['a minute', 1],
    ['59 minutes', 59],
    ['65 minutes', 65],
    ['a year', 365 * 24 * 60],
  ])('does not go on once the next user has signed in, with the time of its cookie edited by %s', async (_title, minutes) => {
    const secret = await signIn('alice')
    expect(await isOf('alice', secret)).toBe(true)
    const time = formatTime(clock.wall() + minutes * MINUTE)
    edit((name, value) => [name, time + value.slice(time.length)])
    await signIn('bob')
    for (const pause of [0, 6, 60]) {
      clock.advance(pause * MINUTE)
      expect(await isOf('alice', secret)).toBe(false)
    }
  })

  it.each<[string, (name: string, value: string) => readonly [string, string]]>([
    ['its time is edited', (name, value) => [name, formatTime(clock.wall() + 1) + value.slice(9)]],
    ['it has another name', (name, value) => [`${name.slice(0, -8)}AAAAAAAA`, value]],
    ['it has no code', (name, value) => [name, value.slice(0, 9 + 43)]],
    ['it is that of another sign-in', (name) => [name, `${formatTime(clock.wall())}${'a'.repeat(43)}${'a'.repeat(22)}`]],
  ])('is not known any more when its cookie was changed: %s', async (_title, change) => {
    const secret = await signIn('alice')
    edit(change)
    expect(await isOf('alice', secret)).toBe(false)
  })

  it('is not known while another cookie has the name of its own, which a sibling site may have set', async () => {
    const secret = await signIn('alice')
    edit((name, value) => [name, `x; ${name}=${value}`])
    expect(await isOf('alice', secret)).toBe(false)
  })

  it('is not known by the value of a cookie for another purpose', async () => {
    const secret = await open('/page')
    edit((name, value) => [name.replace('mcp-page', 'mcp-browser'), value])
    expect(shared.cookies.size).toBe(1)
    expect(await isOf('alice', secret)).toBe(false)
  })
})

describe('a sign-in in a browser', () => {
  it('goes on while the encryption key is changed, and not with a key that is gone', async () => {
    cookie = createBrowserCookie(false, createEncryption([former]), clock)
    await open('/page')
    const page = await open('/page')
    cookie = createBrowserCookie(false, createEncryption([key, former]), clock)
    expect(await open('/page')).toBe(page)
    cookie = createBrowserCookie(false, createEncryption([key]), clock)
    expect(await open('/page')).not.toBe(page)
  })

  it('counts as newer than one of before also when the clock was put back', async () => {
    const secret = await signIn('alice')
    clock.jump(-120 * MINUTE)
    await signIn('bob')
    expect(await isOf('alice', secret)).toBe(false)
  })

  it('counts as newer than one whose cookie was hidden behind another of its name', async () => {
    const secret = await signIn('alice')
    edit((name, value) => [name, `${value}; ${name}=x`])
    clock.jump(-120 * MINUTE)
    await signIn('bob')
    edit((name, value) => [name, value.split(';', 1)[0] ?? ''])
    expect(await isOf('alice', secret)).toBe(false)
  })
})
