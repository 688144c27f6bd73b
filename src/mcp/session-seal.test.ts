import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { Principal } from '../core/principal.ts'
import { createSessionSeal } from './session-seal.ts'

const principal = (changes: Partial<Principal> = {}): Principal => ({
  issuer: 'https://idp',
  subject: 'alice',
  clientId: 'app',
  scopes: new Set(),
  groups: [],
  assurance: 'audience',
  expiresAt: 0,
  acceptedUntil: 0,
  claims: {},
  ...changes,
})
const seal = createSessionSeal(randomBytes(32))
const sealed = seal.seal('abc', 'mcp-session', 'files', principal())

describe('the session seal', () => {
  it('opens for the same principal with another token, and again', () => {
    expect(seal.open(sealed, 'mcp-session', 'files', principal({ expiresAt: 5, scopes: new Set(['x']) }))).toBe('abc')
    expect(seal.open(sealed, 'mcp-session', 'files', principal())).toBe('abc')
  })

  it('opens for the same user when the client has registered anew', () => {
    expect(seal.open(sealed, 'mcp-session', 'files', principal({ clientId: 'registered-anew' }))).toBe('abc')
    expect(seal.open(sealed, 'mcp-session', 'files', principal({ clientId: undefined }))).toBe('abc')
  })

  it.each([undefined, 'machine'])('opens for the same machine alone (subject: %s)', (subject) => {
    const machine = principal({ subject, clientId: 'machine' })
    const own = seal.seal('abc', 'mcp-session', 'files', machine)
    expect(seal.open(own, 'mcp-session', 'files', { ...machine })).toBe('abc')
    for (const changes of [{ clientId: 'other' }, { clientId: undefined }, { subject: 'machine', clientId: 'app' }])
      expect(seal.open(own, 'mcp-session', 'files', { ...machine, ...changes })).toBeUndefined()
    if (subject === undefined) expect(seal.open(own, 'mcp-session', 'files', { ...machine, subject: 'machine' })).toBeUndefined()
  })

  it.each<[string, Parameters<typeof seal.open>]>([
    ['another subject', [sealed, 'mcp-session', 'files', principal({ subject: 'mallory' })]],
    ['no subject', [sealed, 'mcp-session', 'files', principal({ subject: undefined })]],
    ['a machine by the name of the user', [sealed, 'mcp-session', 'files', principal({ clientId: 'alice' })]],
    ['the same subject of another issuer', [sealed, 'mcp-session', 'files', principal({ issuer: 'https://evil' })]],
    ['another server', [sealed, 'mcp-session', 'mail', principal()]],
    ['another purpose', [sealed, 'sse-endpoint', 'files', principal()]],
    ['a changed value', [sealed.replace('abc', 'abd'), 'mcp-session', 'files', principal()]],
    ['a value without a seal', ['abc', 'mcp-session', 'files', principal()]],
    ['nothing', ['', 'mcp-session', 'files', principal()]],
    ['parts shifted', [sealed, 'mcp-session', 'files', principal({ issuer: 'https://idp","alice', subject: 'app' })]],
  ])('does not open for %s, whether it was opened before or not', (_what, given) => {
    const fresh = createSessionSeal(Buffer.alloc(32, 1))
    const other = fresh.seal('abc', 'mcp-session', 'files', principal())
    expect(seal.open(...given)).toBeUndefined()
    expect(fresh.open(given[0] === sealed ? other : given[0], given[1], given[2], given[3])).toBeUndefined()
  })

  it('does not open what another key sealed', () => {
    expect(createSessionSeal(randomBytes(32)).open(sealed, 'mcp-session', 'files', principal())).toBeUndefined()
  })

  it('opens for as many sessions as there are, the first as well as the last', () => {
    const alice = principal()
    const many = Array.from({ length: 25_000 }, (_, index) => seal.seal(`s${index}`, 'mcp-session', 'files', alice))
    for (const index of [0, 12_345, 24_999, 0]) {
      expect(seal.open(many[index] ?? '', 'mcp-session', 'files', principal())).toBe(`s${index}`)
    }
    const mallory = principal({ subject: 'mallory' })
    expect(many.filter((one) => seal.open(one, 'mcp-session', 'files', mallory) !== undefined)).toEqual([])
  })
})

describe('one verified token', () => {
  const alice = principal()
  const own = createSessionSeal(Buffer.alloc(32, 2))

  it('opens at one server for one purpose only, though it was used for others before', () => {
    const first = own.seal('abc', 'mcp-session', 'files', alice)
    expect(own.open(first, 'mcp-session', 'mail', alice)).toBeUndefined()
    expect(own.open(first, 'task', 'files', alice)).toBeUndefined()
    expect(own.seal('abc', 'mcp-session', 'mail', alice)).not.toBe(first)
    expect(own.seal('abc', 'task', 'files', alice)).not.toBe(first)
    expect(own.open(first, 'mcp-session', 'files', alice)).toBe('abc')
  })

  it.each([
    ['another character where the dot belongs', (sealed: string) => sealed.replace('.', '-')],
    ['a code of letters that take two bytes', (sealed: string) => `${'é'.repeat(22)}${sealed.slice(22)}`],
  ])('does not open what has %s', (_what, change) => {
    const sealed = own.seal('xyz', 'mcp-session', 'files', alice)
    expect(own.open(change(sealed), 'mcp-session', 'files', alice)).toBeUndefined()
    expect(own.open(sealed, 'mcp-session', 'files', alice)).toBe('xyz')
  })
})
