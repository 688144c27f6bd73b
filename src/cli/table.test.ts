import { expect, it } from 'vitest'
import { formatBlocks, formatTable } from './table.ts'

const head = ['PATH', 'SERVER', 'SCOPES']
const rows = [
  [['/files'], ['files'], ['a', 'b']],
  [['/mail'], ['mail'], ['c']],
]

it('puts rows into columns, and cells of several lines below each other', () => {
  expect(formatTable(head, rows)).toEqual([
    'PATH    SERVER  SCOPES',
    '/files  files   a',
    '                b',
    '/mail   mail    c',
  ])
})

it('gives each row a block of its own where the screen is too narrow for columns', () => {
  expect(formatBlocks(head, rows)).toEqual([
    '/files',
    '  SERVER  files',
    '  SCOPES  a',
    '          b',
    '',
    '/mail',
    '  SERVER  mail',
    '  SCOPES  c',
  ])
})
