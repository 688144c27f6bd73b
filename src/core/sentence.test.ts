import { expect, it } from 'vitest'
import { capitalize, endSentence } from './sentence.ts'

it.each([
  ['', ''],
  ['a', 'A'],
  ['the file of --token', 'The file of --token'],
])('%j begins with a capital: %j', (text, expected) => {
  expect(capitalize(text)).toBe(expected)
})

it.each([
  ['no such file', 'no such file.'],
  [
    'WRONGPASS invalid username-password pair or user is disabled.',
    'WRONGPASS invalid username-password pair or user is disabled.',
  ],
  ['Is google meant?', 'Is google meant?'],
])('%j ends with one full stop at most: %j', (text, expected) => {
  expect(endSentence(text)).toBe(expected)
})
