import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createWork } from '../work.ts'
import { listNamedParts } from './resource-pattern.ts'
import { readResourceUri, type UriReadings } from './resource-uri.ts'
import { trimBeginning } from './uri-steps.ts'

const read = (uri: string, ...rules: string[]): UriReadings =>
  readResourceUri(uri, listNamedParts(['file:///**', ...rules]), createWork())
const few = (...characters: string[]) => fc.string({ unit: fc.constantFrom(...characters), maxLength: 12 })

describe('a resource URI', () => {
  it.each([['file:///secret/x'], ['https://example.com/a/b'], ['note://a/b']])(
    'has one reading when nothing in it can be read otherwise: %j',
    (uri) => {
      expect(read(uri, 'note://a/**')).toEqual({ readings: [uri], problem: undefined, isBoundless: false })
    },
  )

  it.each([
    ['file:///public/../secret/x'],
    ['file:///public/%2e%2e/secret/x'],
    ['file:///public/%2E./secret/x'],
    ['file:///public/%252e%252e/secret/x'],
    ['file:///public/%25252e%25252e/secret/x'],
    ['file:///public/..%2fsecret/x'],
    ['file:///public/..\\secret\\x'],
    ['file:///public/..%5csecret/x'],
    ['file:///./secret//x'],
    ['file:////secret/x'],
    ['FILE:///secret/x'],
    ['file:/secret/x'],
    ['file://localhost/secret/x'],
    ['file://LOCALHOST./secret/x'],
    ['/secret/x'],
    ['file:///%73ecret/x'],
    ['file:///%2573ecret/x'],
    ['file:///sec\tret/x'],
    ['file:///secret\n/x'],
    [' file:///secret/x'],
    ['\u0001 file:///secret/x\u001f'],
    ['file:///secret/x\u00a0'],
    ['file:///secret/y/../x'],
    ['file:///secret/y//../x'],
    ['file:///secret//../x'],
    ['file:///public//..\t/secret/x'],
    ['file:///public/a\\x/../../secret/x'],
    ['file:///public/?/../../secret/x'],
    ['file:///public/#/../../secret/x'],
    ['file:///public/a%23/../../secret/x'],
    ['file:///secret/x/'],
    ['file:///secret/x/.'],
    ['file:///secret/x?y=1#z'],
    ['file:///secret/x%3fy'],
    ['file:///secret/x;v=1'],
    ['file:///secret;v=1/x'],
    ['file:///public/..;/secret/x'],
    ['file:///public/..%20/secret/x'],
    ['file:///secret/x. .'],
    ['file:///public//secret/x'],
    ['file:///secret%2fx/%2e%2e/..'],
    ['file:///public/a:/secret/x'],
    ['file:///public/%c0%ae%c0%ae/secret/x'],
    ['file:///public/%u002e%u002e/secret/x'],
    ['file:///public/\uff0e\uff0e\uff0fsecret/x'],
  ])('is read as file:///secret/x, too: %j', (uri) => {
    const { readings } = read(uri)
    expect(readings).toContain('file:///secret/x')
    expect(readings[0]).toBe(trimBeginning(uri))
  })

  it.each([
    ['https://user@example.com/x'],
    ['https://example.com:443/x'],
    ['https://EXAMPLE.com/x'],
    ['https://example.com./x'],
    ['https:/example.com/x'],
    ['https:example.com\\x'],
    ['https://evil.example\\@example.com/x'],
    ['https://\u24d4xample.com/x'],
  ])('is read as https://example.com/x, too: %j', (uri) => {
    expect(read(uri).readings).toContain('https://example.com/x')
  })

  it.each([
    ['note:a/b'],
    ['note:/a/b'],
    ['note:///a/b'],
    ['note:////a/b'],
    ['note://a/x/../b'],
    ['note://x/../a/b'],
    ['note://x@a/b'],
  ])('is read as note://a/b, too: %j', (uri) => {
    expect(read(uri).readings).toContain('note://a/b')
  })

  it('is read without its authority where no rule tells that from others', () => {
    expect(read('note://a/b').readings).toContain('note:///b')
    expect(read('note://a/b', 'note://a/**').readings).not.toContain('note:///b')
    expect(read('note://a', 'note://b').readings).toEqual(['note://a'])
    expect(read('https://a/b').readings).toEqual(['https://a/b'])
  })

  it.each([
    ['file:///a\u0000b', 'has a control character'],
    ['file:///a%00b', 'has a control character'],
    ['file:///a%2500b', 'has a control character'],
    ['file:///a%C2%85', 'has a control character'],
    ['file:secret', 'is a relative path'],
    ['file:./secret', 'is a relative path'],
    ['secret/x', 'is a relative path'],
    ['', 'is a relative path'],
    ['file://x/secret', 'names another host, or a relative path'],
    ['file://../secret', 'names another host, or a relative path'],
    ['file:%2f%2fx/secret', 'is a relative path'],
    [`file:///${'x'.repeat(8192)}`, 'is longer than 8192 characters'],
    [`file:///%${'25'.repeat(300)}2e`, 'has too many readings'],
  ])('cannot be judged: %s', (uri, problem) => {
    expect(read(uri).problem).toBe(problem)
  })

  it.each([
    ['file:/x'],
    ['/x'],
    ['file:///../x'],
    ['FILE:///x/../../y'],
    ['file:///x/%2e%2e/..%2f'],
    ['/../x'],
    ['file:////x'],
    ['file:////x/../y#z'],
  ])('may lead anywhere: %j', (uri) => {
    expect(read(uri)).toMatchObject({ problem: undefined, isBoundless: true })
  })

  it('may name a host that rules name', () => {
    expect(read('file://server/share/x', 'file://Server/share/**').problem).toBeUndefined()
    expect(readResourceUri('file://x/y', listNamedParts(['note://a']), createWork()).problem).toBeUndefined()
  })

  it('is read, whatever it is', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.webUrl(), few('%', '2', 'e', '/', '.', '\\', 'a', '?')), (uri) => {
        expect(read(uri).readings[0]).toBe(trimBeginning(uri))
      }),
    )
  })
})
