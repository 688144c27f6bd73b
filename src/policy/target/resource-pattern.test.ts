import { expect, it } from 'vitest'
import { createWork } from '../work.ts'
import { compileResourcePattern, foldCase, listNamedParts } from './resource-pattern.ts'

it.each([
  ['file:///a%20b/secret', 'file:///a b/s', true],
  ['file:///a%20b/secret', 'file:///a b/secret/deeper', true],
  ['file:///caf%C3%A9/**', 'file:///caf\u00e9/', true],
  ['file:///a%20b/secret', 'file:///a b/public', false],
  ['file:///a%20b/secret', '', true],
])('a rule about %s may be about what begins like %j: %s', (pattern, beginning, expected) => {
  expect(compileResourcePattern(pattern).mayRestrict(beginning)).toBe(expected)
})

it('says of a folder between stars that it is named as it was written, and opens nothing by that', () => {
  const { names, namesReading, restricts } = compileResourcePattern('file:///srv/**/.env')
  for (const uri of ['file:///srv/.env', 'file:///srv/a/.env', 'file:///srv/x.env'])
    expect([names(uri, createWork()), restricts(uri, createWork())]).toEqual(Array(2).fill(uri !== 'file:///srv/x.env'))
  expect(namesReading('file:///srv/.env', createWork())).toBe(false)
  expect(namesReading('file:///srv/a/.env', createWork())).toBe(true)
})

it.each([
  ['file:///srv/**', 'file:///srv/a', true],
  ['file:///srv/**', 'file:///srv/', true],
  ['file:///srv/**', 'file:///sr', false],
  ['file:///srv/**', 'file:///other/file:///srv/', false],
  ['file:///srv/*', 'file:///srv/a', false],
  ['file:///srv/**/x', 'file:///srv/a', false],
  ['file:///srv', 'file:///srv', false],
])('a rule about %s is about all that begins like %j: %s', (pattern, beginning, expected) => {
  expect(compileResourcePattern(pattern).coversBeginning(beginning)).toBe(expected)
})

it.each([
  ['FILE', 'file'],
  ['Stra\u1e9ee', 'STRASSE'],
  ['\u03a3\u03c2', '\u03c3\u03c3'],
  ['cafe\u0301', 'CAF\u00c9'],
  ['s\u200decre\ufefft\u00e9', 'secret\u00e9'],
])('%j and %j are one name where case does not count', (one, other) => {
  expect(foldCase(one)).toBe(foldCase(other))
})

it('does not take different letters for one where case does not count', () => {
  expect(new Set(['a', 'b', '\u00e4', '\u00e9', '\u03c3'].map(foldCase)).size).toBe(5)
})

it.each([
  [['ticket://**'], false, false],
  [['file:///srv/**'], true, false],
  [['/srv/**'], true, false],
  [['*/secret'], true, false],
  [['**'], false, false],
  [['srv/x'], false, false],
  [['file:///c:/x'], true, true],
  [['c:/x'], true, true],
  [['file:c:/x'], true, true],
  [['c|/x'], true, true],
  [['c$/x'], true, true],
  [['c:/x', 'file:///d:/x'], true, true],
  [['c:/x', '/srv/x'], true, false],
  [['file:///c:/x', 'file:///srv/x'], true, false],
  [['file:///c:/x', 'file:///**/x'], true, true],
])('patterns %j are about files: %s, and all on drives: %s', (patterns, hasFiles, hasDrives) => {
  expect(listNamedParts(patterns)).toMatchObject({ hasFiles, hasDrives })
})

it('names hosts by scheme, whatever their case, and none that is only a wildcard or empty', () => {
  const { hasAuthority } = listNamedParts(['https://A.example/x', 'ftp://**/x', 'http:///x', 'smb://b*/x'])
  expect([hasAuthority('https', 'a.EXAMPLE'), hasAuthority('smb', 'bob')]).toEqual([true, true])
  expect(hasAuthority('http', 'a.example')).toBe(false)
  expect(hasAuthority('https', 'b.example')).toBe(false)
  expect([hasAuthority('ftp', 'any'), hasAuthority('http', '')]).toEqual([false, false])
})

it.each([
  ['https://a.example/x', 'HTTPS://A.example:443/x', true],
  ['https://a.example', 'https://a.example/', true],
  ['http://a.example/x', 'http://a.example:80/x', true],
  ['http://a.example/x', 'http://a.example:443/x', false],
  ['http://a.example/x', 'http://a.example:8080/x', false],
  ['wss://a.example/x', 'wss://a.example:/x', true],
  ['ws://a.example/x', 'ws://a.example:80/x', true],
  ['file:///srv/x', 'file:/srv/x', true],
  ['file:///srv/x', 'file://localhost/srv/x', true],
  ['ticket:1', 'TICKET:1', true],
  ['ticket:1', 'ticket:2', false],
])('%s names %s as written: %s', (pattern, uri, expected) => {
  expect(compileResourcePattern(pattern).names(uri, createWork())).toBe(expected)
})
