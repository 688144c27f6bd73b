// Attack family S: bodies, headers and streams that cost more work the longer they are.
import { describe, expect, it } from 'vitest'
import { readCookies } from '../../src/broker/pages/secret-cookies.ts'
import { outlineJson } from '../../src/core/json/strict-json.ts'
import type { Reply } from '../../src/core/reply.ts'
import { createAcknowledgmentReader } from '../../src/mcp/changing-lists.ts'
import { createEndpointRewriter } from '../../src/mcp/endpoint-event.ts'
import { decodeHeaderValue } from '../../src/mcp/header-agreement.ts'
import { parseMessages } from '../../src/mcp/messages.ts'
import { findAccessToken, stripQueryToken } from '../../src/oauth/bearer.ts'
import { collectScopes } from '../../src/oauth/scopes.ts'
import { countWork } from '../support/text-work.ts'

const least = 500
/** Whatever it ends with: a refusal may come at the very end. */
const attempt = (task: () => unknown) => () => {
  try {
    task()
  } catch {}
}
const compare = (task: (size: number) => () => unknown) => {
  const [once, twice] = [task(least), task(least * 2)]
  return countWork(attempt(twice)) / countWork(attempt(once))
}

const list = (size: number, item: (index: number) => string, separator = ',') =>
  Array.from({ length: size }, (_, i) => item(i)).join(separator)
const call = (params: string) => `{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":${params}}`

const texts: readonly (readonly [string, (size: number) => string])[] = [
  ['a string', (size) => `"${'a'.repeat(size)}"`],
  ['a string without an end', (size) => `"${'a'.repeat(size)}`],
  ['escapes', (size) => `"${'\\n'.repeat(size)}"`],
  ['pairs of surrogates', (size) => `"${'\\ud83d\\ude00'.repeat(size)}"`],
  ['a number', (size) => '1'.repeat(size)],
  ['white space', (size) => `${' '.repeat(size)}1${' '.repeat(size)}`],
  ['arrays in arrays', (size) => '['.repeat(size)],
  ['objects in objects', (size) => '{"a":'.repeat(size)],
  ['a list of strings', (size) => `[${list(size, (i) => `"${i}"`)}]`],
  ['a list of escaped strings', (size) => `[${list(size, () => '"\\n"')}]`],
  ['members', (size) => `{${list(size, (i) => `"k${i}":1`)}}`],
  ['members with escaped names', (size) => `{${list(size, (i) => `"\\u006b${i}":1`)}}`],
  ['many small objects', (size) => `[${list(size, () => '{"a":1,"b":2}')}]`],
  ['members that look like integers', (size) => `{${list(size, (i) => `"${i}":1`)}}`],
]

describe('a text twice as long is at most 2.2 times the work', () => {
  it.each(texts)('for the scanner: %s', (_name, write) => {
    expect(compare((size) => outlineJson.bind(null, write(size), 5000, 4))).toBeLessThanOrEqual(2.2)
  })

  it.each([
    ...texts,
    ...texts.map(([name, write]) => [`${name}, as params`, (size: number) => call(write(size))] as const),
    ...texts.map(([name, write]) => [`${name}, as _meta`, (size: number) => call(`{"_meta":${write(size)}}`)] as const),
    ['a batch', (size: number) => `[${list(size, (i) => `{"jsonrpc":"2.0","id":${i},"method":"ping"}`)}]`] as const,
    ['names of keys that are looked alike', (size: number) => call(`{${list(size, (i) => `"NAME\\u0000${i}":1`)}}`)] as const,
    ['long names that look alike', (size: number) => call(`{"${'ſ'.repeat(size)}":1}`)] as const,
    [
      'subscriptions',
      (size: number) => call(`{"notifications":{"resourceSubscriptions":[${list(size, (i) => `"file:///${i}"`)}]}}`),
    ] as const,
    [
      'values of a context',
      (size: number) =>
        call(`{"context":{"arguments":{${list(size, (i) => `"k${i}":"v"`)}}}}`).replace(
          'subscriptions/listen',
          'completion/complete',
        ),
    ] as const,
  ])('for messages: %s', (_name, write) => {
    const limits = { jsonDepth: 5000, batchMembers: 5000 }
    expect(compare((size) => parseMessages.bind(null, write(size), limits))).toBeLessThanOrEqual(2.2)
  })

  it.each<[string, (size: number) => string]>([
    ['parameters', (size) => list(size, (i) => `token${i}=1`, '&')],
    ['escapes', (size) => '%61'.repeat(size)],
    ['separators', (size) => `${'&'.repeat(size)}token`],
    ['a token', (size) => `access_token=${'a'.repeat(size)}`],
    ['pluses', (size) => `token${'+'.repeat(size)}`],
  ])('for queries: %s', (_name, write) => {
    const read = (size: number) => {
      const query = write(size)
      return () => {
        stripQueryToken(query)
        findAccessToken({ authorization: [], query }, ['query'])
      }
    }
    expect(compare(read)).toBeLessThanOrEqual(2.2)
  })

  it.each<[string, (size: number) => string]>([
    ['spaces', (size) => `Bearer${' '.repeat(size)}a`],
    ['spaces around', (size) => `${' '.repeat(size)}x${' '.repeat(size)}`],
    ['a scheme', (size) => 'a'.repeat(size)],
    ['padding', (size) => `Bearer a${'='.repeat(size)}!`],
  ])('for the Authorization field: %s', (_name, write) => {
    expect(
      compare((size) => findAccessToken.bind(null, { authorization: [write(size)], query: undefined }, ['header'])),
    ).toBeLessThanOrEqual(2.2)
  })

  it.each<[string, (size: number) => string]>([
    ['blanks in a value', (size) => `a=${' '.repeat(size)}b`],
    ['blanks without a name', (size) => `a=1;${' '.repeat(size)}b`],
    ['pairs', (size) => list(size, (i) => `a${i}=1`, '; ')],
    ['pairs that are none', (size) => ';'.repeat(size)],
  ])('for cookies: %s', (_name, write) => {
    const read = (size: number) => readCookies.bind(null, { headers: { cookie: write(size) } }, 'a')
    expect(compare(read)).toBeLessThanOrEqual(2.2)
  })

  it('for scopes and encoded headers', () => {
    expect(
      compare((size) => collectScopes.bind(null, { scope: list(size, (i) => `s${i}`, ' ') }, undefined)),
    ).toBeLessThanOrEqual(2.2)
    expect(compare((size) => decodeHeaderValue.bind(null, `=?base64?${'YWFh'.repeat(size)}?=`))).toBeLessThanOrEqual(2.2)
  })
})

describe('a stream that comes in single bytes', () => {
  const reply = { start: () => undefined, write: () => true, fail: () => undefined } as unknown as Reply
  it.each<[string, (size: number) => string]>([
    ['one comment', (size) => `:${'x'.repeat(size)}`],
    ['lines of comments', (size) => ':\n'.repeat(size)],
    ['events of comments', (size) => ':\n\n'.repeat(size)],
  ])('and is twice as long is at most 2.2 times the work: %s', (_name, write) => {
    const send = (size: number) => {
      const rewriter = createEndpointRewriter(reply, (uri) => uri)
      rewriter.start(200, { 'content-type': 'text/event-stream' })
      const bytes = Buffer.from(write(size))
      return () => {
        for (const at of bytes.keys()) rewriter.write(bytes.subarray(at, at + 1))
      }
    }
    expect(compare(send)).toBeLessThanOrEqual(2.2)
  })

  it.each<[string, (size: number) => string]>([
    ['one line', (size) => `data: ${'x'.repeat(size)}`],
    ['empty lines', (size) => '\n'.repeat(size)],
    ['comments', (size) => ':\n'.repeat(size)],
    ['lines of one event', (size) => 'data: x\n'.repeat(size)],
    ['events without a message', (size) => 'event: x\n\n'.repeat(size)],
  ])('instead of an acknowledgment, and is twice as long is at most 2.2 times the work: %s', (_name, write) => {
    const send = (size: number) => {
      const reader = createAcknowledgmentReader()
      const bytes = Buffer.from(write(size))
      return () => {
        for (const at of bytes.keys()) reader.read(bytes.subarray(at, at + 1))
      }
    }
    expect(compare(send)).toBeLessThanOrEqual(2.2)
  })
})

describe('the work that is counted', () => {
  it('is four times as much where a text is read anew for each of its characters', () => {
    const quadratic = (size: number) => () => {
      for (let at = 0; at < size; at++) 'a'.repeat(size).includes('b')
    }
    expect(compare(quadratic)).toBeGreaterThan(3.5)
  })
})
