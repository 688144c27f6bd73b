import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ProxyError } from './errors.ts'
import { listErrors } from './list-errors.ts'

const folder = new URL('../', import.meta.url).pathname

/** The sources that can refuse something: all but the catalogue itself, and tests. */
function readSources(): string {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  const sources = files.filter((file) => /\.ts$/.test(file) && !/\.test\.ts$|error-catalogue/.test(file))
  return sources.map((file) => readFileSync(join(folder, file), 'utf8')).join('\n')
}

describe('a refusal', () => {
  it('names a reason of the catalogue, and no other, where its code has reasons', () => {
    const refuse = (): ProxyError[] => [
      new ProxyError('token_invalid', { reason: 'signature_invalid' }),
      new ProxyError('token_expired'),
      // @ts-expect-error: there is no such reason
      new ProxyError('token_invalid', { reason: 'made_up' }),
      // @ts-expect-error: a reason of another code
      new ProxyError('token_invalid', { reason: 'audience_other' }),
      // @ts-expect-error: the code has reasons, and one must be named
      new ProxyError('token_invalid', { cause: 'in words alone' }),
      // @ts-expect-error: the code has no reasons
      new ProxyError('token_expired', { reason: 'signature_invalid' }),
    ]
    expect(refuse()[0]).toMatchObject({ code: 'token_invalid', reason: 'signature_invalid' })
    expect(refuse()[1]?.reason).toBeUndefined()
  })

  it('is thrown with every reason that the catalogue lists', () => {
    const sources = readSources()
    const unused = listErrors().flatMap(({ reasons }) => reasons.filter(({ reason }) => !sources.includes(`'${reason}'`)))
    expect(unused).toEqual([])
  })
})

describe('the catalogue', () => {
  const rows = listErrors()

  it('has codes and reasons in one form, and a sentence for each reason', () => {
    for (const { code, reasons } of rows) {
      expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/)
      for (const { reason, meaning } of reasons) {
        expect(reason).toMatch(/^[a-z]+(_[a-z]+)*$/)
        expect(meaning).toMatch(/^[A-Z`].*\.$/)
      }
    }
  })

  it('has several reasons where it has any', () => {
    for (const { code, reasons } of rows) expect(reasons.length, code).not.toBe(1)
  })
})
