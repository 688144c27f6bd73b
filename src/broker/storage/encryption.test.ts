import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createSeal } from './encryption.ts'

const [current, former] = [randomBytes(32), randomBytes(32)]
const seal = createSeal([current, former])

describe('what is sealed for the store', () => {
  const sealed = seal.seal('Account', 'the refresh token')

  it('opens for the purpose that it was sealed for, and no other', () => {
    expect(seal.open('Account', sealed)).toBe('the refresh token')
    expect(seal.open('SigningKeys', sealed)).toBeUndefined()
    expect(seal.open('', sealed)).toBeUndefined()
  })

  it('shows nothing of its text, and is another one each time', () => {
    expect(Buffer.from(sealed.split('.')[1] ?? '', 'base64url').toString('latin1')).not.toContain('refresh')
    expect(seal.seal('Account', 'the refresh token')).not.toBe(sealed)
  })

  it('does not open once a byte of it is changed', () => {
    const [id, body = ''] = sealed.split('.')
    const bytes = Buffer.from(body, 'base64url')
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes)
      changed[at] = (changed[at] ?? 0) ^ 1
      expect(seal.open('Account', `${id}.${changed.toString('base64url')}`)).toBeUndefined()
    }
  })

  it.each(['', '.', 'text', `${createSeal([current]).seal('Account', '').split('.')[0]}.`])('is not %j', (text) => {
    expect(seal.open('Account', text)).toBeUndefined()
  })

  it('opens with a former key, is sealed with the current one, and is nothing to a stranger’s', () => {
    expect(seal.open('Account', createSeal([former]).seal('Account', 'old'))).toBe('old')
    expect(createSeal([former]).open('Account', sealed)).toBeUndefined()
    expect(createSeal([current]).open('Account', sealed)).toBe('the refresh token')
    expect(createSeal([randomBytes(32)]).open('Account', sealed)).toBeUndefined()
  })

  it('keeps an empty text apart from none', () => {
    expect(seal.open('Account', seal.seal('Account', ''))).toBe('')
  })

  it('takes keys of 32 bytes only, and at least one', () => {
    for (const keys of [[], [randomBytes(31)], [current, randomBytes(33)]]) expect(() => createSeal(keys)).toThrow('32 bytes')
  })

  it('derives another secret for each purpose and key, the same ones each time', () => {
    expect(seal.derive('cookies')).toEqual(createSeal([current, former]).derive('cookies'))
    expect(new Set([...seal.derive('cookies'), ...seal.derive('marks')]).size).toBe(4)
  })
})
