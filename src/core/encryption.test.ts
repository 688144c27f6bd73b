import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createEncryption } from './encryption.ts'

const [current, former] = [randomBytes(32), randomBytes(32)]
const encryption = createEncryption([current, former])

describe('what is encrypted for the store', () => {
  const encrypted = encryption.encrypt('Account', 'the refresh token')

  it('opens for the purpose that it was encrypted for, and no other', () => {
    expect(encryption.decrypt('Account', encrypted)).toBe('the refresh token')
    expect(encryption.decrypt('SigningKeys', encrypted)).toBeUndefined()
    expect(encryption.decrypt('', encrypted)).toBeUndefined()
  })

  it('shows nothing of its text, and is another one each time', () => {
    expect(Buffer.from(encrypted.split('.')[1] ?? '', 'base64url').toString('latin1')).not.toContain('refresh')
    expect(encryption.encrypt('Account', 'the refresh token')).not.toBe(encrypted)
  })

  it('does not open once a byte of it is changed', () => {
    const [id, body = ''] = encrypted.split('.')
    const bytes = Buffer.from(body, 'base64url')
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes)
      changed[at] = (changed[at] ?? 0) ^ 1
      expect(encryption.decrypt('Account', `${id}.${changed.toString('base64url')}`)).toBeUndefined()
    }
  })

  it.each(['', '.', 'text', `${createEncryption([current]).encrypt('Account', '').split('.')[0]}.`])('is not %j', (text) => {
    expect(encryption.decrypt('Account', text)).toBeUndefined()
  })

  it('opens with a former key, is encrypted with the current one, and is nothing to a stranger’s', () => {
    expect(encryption.decrypt('Account', createEncryption([former]).encrypt('Account', 'old'))).toBe('old')
    expect(createEncryption([former]).decrypt('Account', encrypted)).toBeUndefined()
    expect(createEncryption([current]).decrypt('Account', encrypted)).toBe('the refresh token')
    expect(createEncryption([randomBytes(32)]).decrypt('Account', encrypted)).toBeUndefined()
  })

  it('keeps an empty text apart from none', () => {
    expect(encryption.decrypt('Account', encryption.encrypt('Account', ''))).toBe('')
  })

  it('takes keys of 32 bytes only, and at least one', () => {
    for (const keys of [[], [randomBytes(31)], [current, randomBytes(33)]])
      expect(() => createEncryption(keys)).toThrow('32 bytes')
  })

  it('derives another secret for each purpose and key, the same ones each time', () => {
    expect(encryption.derive('cookies')).toEqual(createEncryption([current, former]).derive('cookies'))
    expect(new Set([...encryption.derive('cookies'), ...encryption.derive('marks')]).size).toBe(4)
  })
})
