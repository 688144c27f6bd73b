import { expect, it } from 'vitest'
import { createWork } from '../work.ts'
import { compileResourcePattern, foldCase } from './resource-pattern.ts'

it.each([
  ['FILE:///secret/**', 'file:///secret/x'],
  ['file:/secret/**', 'file:///secret/x'],
  ['file://localhost/secret/**', 'file:///secret/x'],
  ['file://LocalHost/secret/**', 'file:///secret/x'],
  ['https://Intra.Example/**', 'https://intra.example/x'],
  ['https://h:443/**', 'https://h/x'],
  ['http://h:80/**', 'http://h/x'],
  ['https://h:/**', 'https://h/x'],
  ['NOTE://a/**', 'note://a/x'],
  ['file:///a%20b/**', 'file:///a b/x'],
])('a rule about %j restricts and opens %j', (pattern, uri) => {
  const rule = compileResourcePattern(pattern)
  expect(rule.restricts(foldCase(uri), createWork())).toBe(true)
  expect(rule.names(uri, createWork())).toBe(true)
  expect(rule.namesReading(uri, createWork())).toBe(true)
})

it.each([
  ['https://h:8443/**', 'https://h/x'],
  ['https://h/**', 'https://h:8443/x'],
  ['note://AbC/**', 'note://abc/x'],
])('a rule about %j does not open %j', (pattern, uri) => {
  expect(compileResourcePattern(pattern).names(uri, createWork())).toBe(false)
})

it('a directory that is written with an escape may be reached by completing without', () => {
  const rule = compileResourcePattern('file:///a%20b/**')
  expect(rule.mayRestrict('file:///a b/')).toBe(true)
  expect(rule.mayRestrict('file:///a%20b/')).toBe(true)
  expect(rule.mayRestrict('file:///a c/')).toBe(false)
})
