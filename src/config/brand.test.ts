import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { loadConfigValue } from './load.ts'
import { ConfigError } from './problem/problem.ts'

const directory = mkdtempSync(join(tmpdir(), 'brand-'))
afterAll(() => rmSync(directory, { recursive: true }))

const PNG = Buffer.from('89504e470d0a1a0a', 'hex')

function load(brand: object) {
  const value = {
    identity_provider: { issuer: 'https://idp.example.com', client_id: 'x', client_authentication: 'none' },
    broker: { store: { kind: 'memory' }, ...brand },
    servers: [{ path: '/mcp', upstream: 'http://localhost:8000/mcp' }],
  }
  return loadConfigValue(value, { env: {}, directory, terminal: false }).plan.broker?.brand
}

function mistakesOf(brand: object): string[] {
  try {
    load(brand)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(({ path, reason, fix }) => `${path}: ${reason} ${fix}`)
    throw error
  }
  return []
}

function write(name: string, content: Buffer | string): string {
  writeFileSync(join(directory, name), content)
  return name
}

describe('the brand of the pages', () => {
  it('is read at the start, images by what they are and not by their names', () => {
    const file = write('logo.gif', PNG)
    expect(load({ company: 'Example Inc.', logo: file, favicon: join(directory, file) })).toEqual({
      company: 'Example Inc.',
      logo: 'data:image/png;base64,iVBORw0KGgo=',
      favicon: 'data:image/png;base64,iVBORw0KGgo=',
    })
    expect(load({})).toEqual({ company: undefined, logo: undefined, favicon: undefined })
  })

  it('may have images of 100 KiB, and no larger ones', () => {
    const large = Buffer.concat([PNG, Buffer.alloc(102_400 - PNG.length)])
    expect(load({ logo: write('largest.png', large) })?.logo).toHaveLength('data:image/png;base64,'.length + 136_536)
    const file = write('larger.png', Buffer.concat([large, Buffer.alloc(1)]))
    expect(mistakesOf({ logo: file })).toEqual([
      expect.stringMatching(/^broker\.logo: .*longer than 102400 bytes.* Name an image/),
    ])
  })

  it('is refused, all of it at once, where images are missing or none', () => {
    const mistakes = mistakesOf({ logo: 'nowhere.png', favicon: write('page.svg', '<html></html>') })
    expect(mistakes.toSorted()).toEqual([
      expect.stringMatching(/^broker\.favicon: .*page\.svg" is not a PNG, SVG, JPEG or WebP image/),
      expect.stringMatching(/^broker\.logo: .*nowhere\.png" cannot be read \(no such file\)/),
    ])
    expect(mistakesOf({ logo: '.' })).toEqual([expect.stringMatching(/^broker\.logo: .*it is a directory/)])
  })

  it.each([
    ['is blank', ' ', /is empty/],
    ['is too long', 'x'.repeat(81), /longer than 80 characters/],
    ['has two lines', 'Example\nInc.', /invisible/],
    ['turns the direction of writing', 'Example \u202eInc.', /invisible/],
    ['hides a character', 'Exam\u200bple', /invisible/],
  ])('is refused where the name of the company %s', (_what, company, said) => {
    expect(mistakesOf({ company })).toEqual([expect.stringMatching(said)])
  })

  it('takes a scope that is called logo for no image', () => {
    expect(mistakesOf({ scope_descriptions: { logo: 'See the logo' } })).toEqual([])
  })
})
