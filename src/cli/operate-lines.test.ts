import { expect, it } from 'vitest'
import { formatList } from './operate-lines.ts'

const BROWSER = { id: 'a', kind: 'browser', subject: 'alice', started: '2026-01-01', expires: '2026-01-02' }
const GRANT = { ...BROWSER, id: 'a-much-longer-id', kind: 'grant' }
const { id, kind, subject, ...times } = GRANT
const CLIENT = { id, kind, subject, client_id: 'a-client-with-a-long-id', scopes: ['mcp:tools', 'files:read'], ...times }

it.each([
  ['the first', [CLIENT, BROWSER]],
  ['the last', [BROWSER, CLIENT]],
])('a list has the same columns, wide enough for all rows, whether the fullest row is %s', (_, sessions) => {
  const [, head = '', ...rows] = formatList({ sessions, total: 2 })
  expect(head.trim().split(/ {2,}/)).toEqual(['ID', 'KIND', 'SUBJECT', 'CLIENT ID', 'SCOPES', 'STARTED', 'EXPIRES'])
  const start = head.indexOf('STARTED')
  for (const row of rows.slice(0, 2)) expect(row.slice(start - 2, start + 10)).toBe('  2026-01-01')
})
