import { describe, expect, it } from 'vitest'
import { createWork } from '../work.ts'
import { listNamedParts } from './resource-pattern.ts'
import { readResourceUri } from './resource-uri.ts'

const read = (uri: string, ...rules: string[]) => readResourceUri(uri, listNamedParts(rules), createWork())

it.each([
  ['file:///C:/x', 'file:///c:/x'],
  ['file:///c|/x', 'file:///c:/x'],
  ['file:///C%3A/x', 'file:///c:/x'],
  ['file:////localhost/C$/x', 'file:///localhost/C$/x'],
  ['file://localhost/C$/x', 'file:///c:/x'],
  ['file://C$/x', 'file:///c$/x'],
  ['file:/C:/x', 'file:///c:/x'],
  ['C:/x', 'file:///c:/x'],
  ['C:\\x', 'file:///c:/x'],
  ['/srv/x', 'file:///srv/x'],
  ['srv/x', 'file:///srv/x'],
  ['file:////./C:/x', 'file:///c:/x'],
  ['\\\\?\\UNC\\server\\x', 'file:///server/x'],
  ['file:///C:/x::$DATA', 'file:///c:/x'],
  ['file:///C:/x:$I30:$INDEX_ALLOCATION/y', 'file:///c:/x/y'],
  ['file://server/share/x', 'file:///server/share/x'],
])('%j is read as %j, too', (uri, reading) => {
  expect(read(uri, 'file:///C:/**').readings).toContain(reading)
})

it.each(['note:///a/C:/x', 'note://C$/x', 'note:////./x'])('%j is no file, and has no drive', (uri) => {
  expect(read(uri, 'file:///C:/**').readings.filter((reading) => /\/c:|file/.test(reading))).toEqual([])
})

describe('where all files of the rules are on drives', () => {
  it('a path without one may be anywhere', () => {
    expect(read('file:///x', 'file:///C:/**').isBoundless).toBe(true)
    expect(read('file:///C:/x', 'file:///C:/**', 'file:///**').isBoundless).toBe(false)
    expect(read('file:///x', 'file:///C:/**', 'file:///srv/**').isBoundless).toBe(false)
    expect(read('file:///x', 'file:///**').isBoundless).toBe(false)
    expect(read('note:///x', 'file:///C:/**').isBoundless).toBe(false)
  })

  it('a drive that stands elsewhere, or without a slash, cannot be judged', () => {
    for (const uri of ['file:///C:x', 'file:///C|x', 'file:///C:/a/C:x', 'file:///C:/a/D:/x', 'file:///a/C|/x']) {
      expect(read(uri, 'file:///C:/**').problem).toBe('has a drive that depends on the opener')
      expect(read(uri, 'file:///srv/**').problem).toBeUndefined()
    }
    for (const uri of ['file:///C:', 'file:///C:/', 'file:///C:\\x', 'file:////C:/x', 'file:///C:/ab:c'])
      expect(read(uri, 'file:///C:/**').problem).toBeUndefined()
  })
})
