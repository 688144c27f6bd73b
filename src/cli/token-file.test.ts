import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readToken } from './token-file.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'token-file-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

function write(text: string): string {
  const file = join(folder, 'token')
  writeFileSync(file, text)
  return file
}

describe('a token in a file', () => {
  it('is read without blanks around it and without its scheme', () => {
    expect(readToken(write(' Bearer abc\n'))).toBe('abc')
  })

  it.each([
    ['', /^The file of --token has no token in it\.$/],
    [' \n', /^The file of --token has no token in it\.$/],
    ['one two', /more than one token/],
    ['x'.repeat(16_385), /longer than 16 KiB/],
  ])('is refused with a reason that does not repeat it: %j', (text, reason) => {
    expect(() => readToken(write(text))).toThrow(reason)
  })

  it('is called a key where a key is asked for', () => {
    expect(() => readToken(write(''), 'key')).toThrow('The file of --token has no key in it.')
  })

  it.each([
    ['nowhere', 'no such file'],
    ['.', 'it is a directory'],
  ])('that cannot be read is told with the cause: %s', (name, cause) => {
    expect(() => readToken(join(folder, name))).toThrow(`cannot be read (${cause})`)
  })
})
