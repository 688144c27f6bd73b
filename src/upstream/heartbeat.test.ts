import { expect, it } from 'vitest'
import { BEGINNING_OF_STREAM, followTail, isBetweenEvents, takesHeartbeats } from './heartbeat.ts'

const isFree = (...pieces: string[]) =>
  isBetweenEvents(pieces.reduce((tail, piece) => followTail(tail, Buffer.from(piece)), BEGINNING_OF_STREAM))

it.each<[string[], boolean]>([
  [[], true],
  [['data: a\n\n'], true],
  [['data: a\r\n\r\n'], true],
  [['data: a\r\r'], true],
  [['data: a\n\r\n'], true],
  [['data: a\r\n\n'], true],
  [['data: a\n', '\n'], true],
  [['data: a\r\n\r', '\n'], true],
  [['data: a', '\r', '\n', '\r', '\n'], true],
  [['d'], false],
  [['data: a'], false],
  [['data: a\n'], false],
  [['data: a\r\n'], false],
  [['data: a\r'], false],
  [['data: a\r', '\n'], false],
  [['data: a\n\nid: 1'], false],
  [['data: a\n\nid: 1\n'], false],
  [['data: a\n\n', 'x'], false],
])('%j leaves a place between two events: %s', (pieces, expected) => {
  expect(isFree(...pieces)).toBe(expected)
})

it('what is no event stream, is encoded or has a length takes no heartbeats', () => {
  const type = { 'content-type': 'text/event-stream' }
  expect(takesHeartbeats(type)).toBe(true)
  for (const headers of [
    { 'content-type': 'application/json' },
    { ...type, 'content-encoding': 'gzip' },
    { ...type, 'content-length': '9' },
  ])
    expect(takesHeartbeats(headers)).toBe(false)
})
