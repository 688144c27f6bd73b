import { createParser } from 'eventsource-parser'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { filterStream, filterText, hidesSecrets } from '../../../test/support/visibility.ts'

interface ReadEvent {
  readonly id: string | undefined
  readonly event: string | undefined
  readonly data: string
}

/** What the parser of the SDK's clients reads. */
function read(stream: string): ReadEvent[] {
  const events: ReadEvent[] = []
  const parser = createParser({ onEvent: ({ id, event, data }) => void events.push({ id, event, data }) })
  // Behind a CR at the end it would wait for an LF.
  parser.feed(new TextDecoder().decode(Buffer.from(`${stream}: end\n`)))
  return events
}

/** What is to be read of the filtered stream. */
function filterEach(events: readonly ReadEvent[]): ReadEvent[] {
  return events.flatMap((event) => {
    if (!/^\s*[{[]/.test(event.data)) return [event]
    // Several lines become one.
    const data = filterText(event.data, hidesSecrets)?.replaceAll('\n', ' ')
    return data === undefined ? [] : [{ ...event, data }]
  })
}

function filter(stream: string): string {
  const reply = filterStream([stream])
  expect(reply.failure).toBeUndefined()
  return reply.body
}

const list = (...names: string[]): string => JSON.stringify({ id: 1, result: { tools: names.map((name) => ({ name })) } })

describe('an event of which something is hidden is read with the rest of its message', () => {
  const message = list('a', 'secret', 'b')
  const half = message.indexOf('"name":"secret"')
  const [one, two] = [message.slice(0, half), message.slice(half)]

  it.each([
    ['data without a colon first', `data\ndata: ${message}\n\n`],
    ['data without a colon in between', `data: ${one}\ndata\ndata: ${two}\n\n`],
    ['data without a colon last', `data: ${message}\ndata\n\n`],
    ['only data without a colon before it, in all line ends', `data\r\ndata\rdata\ndata:${message}\r\n\r\n`],
    ['data without a value first', `data:\ndata: ${message}\n\n`],
    ['data of one space first', `data: \ndata: ${message}\n\n`],
    ['a value that begins with a space, behind one that has none', `data:\ndata:  ${message}\n\n`],
    ['data after other fields', `event: message\nid: 1\nretry: 5\ndata: ${message}\n\n`],
    ['other fields between lines of data', `data: ${one}\nid: 7\nevent: message\nretry: 10\ndata: ${two}\n\n`],
    ['comments between lines of data', `data: ${one}\n: a comment\n:\ndata: ${two}\n: another\n\n`],
    ['an id with a NUL', `id: 1\0\ndata: ${message}\n\n`],
    ['fields of other names without a colon', `event\nid\nretry\nx\ndata: ${message}\n\n`],
    ['CR at the end of the first line, and LF as the blank one', `data: ${one}\rdata: ${two}\n\n`],
    ['CR before a line that goes, and LF as the blank one', `data: ${one}\r: a comment\rdata: ${two}\n\n`],
    ['CR LF before LF', `data: ${one}\r\ndata: ${two}\n\n`],
    ['a byte order mark first', `\ufeffdata: ${message}\n\n`],
    ['a byte order mark, and data without a colon', `\ufeffdata\ndata: ${message}\n\n`],
    ['a byte order mark before another field', `\ufeffevent: message\ndata: ${message}\n\n`],
  ])('%s', (_what, event) => {
    const stream = `${event}data: {"after":1}\n\n`
    const filtered = filter(stream)
    expect(read(filtered)).toEqual(filterEach(read(stream)))
    expect(read(filtered)).toHaveLength(2)
    expect(filtered).not.toContain('secret')
  })

  it.each([10, 5000])('with letters beyond ASCII before, in and behind it, %d of them', (count) => {
    const far = 'é中😀'.repeat(count)
    const long = JSON.stringify({ id: far, result: { tools: [{ name: far }, { name: 'secret' }, { name: 'b', title: far }] } })
    const stream = `: ${far}\nid: ${far}\ndata: ${long}\n: ${far}\n\ndata: {"after":1}\n\n`
    const filtered = filter(stream)
    expect(read(filtered)).toEqual(filterEach(read(stream)))
    expect(filtered).toBe(stream.replace('{"name":"secret"},', ''))
  })

  it('whatever line of its data the message is split at', () => {
    for (let at = 0; at <= message.length; at++) {
      if (isInText(message, at)) continue
      const stream = `data:${message.slice(0, at)}\ndata:${message.slice(at)}\n\n`
      expect(read(filter(stream)), stream).toEqual(filterEach(read(stream)))
    }
  })
})

/** Whether a line end there would be one in a JSON text, which is no JSON. */
function isInText(json: string, at: number): boolean {
  return (json.slice(0, at).match(/"/g)?.length ?? 0) % 2 === 1 || /\d$/.test(json.slice(0, at))
}

describe('a stream, as the parser of the SDK reads it', () => {
  const lineEnd = fc.constantFrom('\n', '\r\n', '\r')
  const noise = fc.constantFrom(
    '',
    ': x',
    ':',
    'id',
    'id: 4',
    'id: \0',
    'event',
    'event: message',
    'event:',
    'retry: 1',
    'x',
    'x: y',
  )
  const lines = (content: string, glue: readonly string[]): string[] => {
    const pieces = content
      .split('\n')
      .map((piece, index) => `data:${(glue[index] ?? '') || (piece.startsWith(' ') ? ' ' : '')}${piece}`)
    return pieces.map((piece) => (piece === 'data:' && glue.length % 2 === 0 ? 'data' : piece))
  }
  const names = fc.array(fc.constantFrom('a', 'secret', 'b', 'secret2'), { maxLength: 4 })
  const content = fc.oneof(
    fc
      .tuple(names, fc.constantFrom(undefined, 1, ' ', '\t'))
      .map(([of, indent]) => JSON.stringify(JSON.parse(list(...of)), null, indent)),
    fc.constantFrom('', '{"id":1,"result":{}}', '{"method":"notifications/resources/updated","params":{"uri":"secret:1"}}'),
    names.map((of) => `\n${list(...of)}\n\n`),
  )
  const event = fc
    .tuple(content, fc.array(fc.constantFrom('', ' ')), fc.array(fc.tuple(fc.nat(8), noise), { maxLength: 4 }))
    .map(([text, glue, between]) => {
      const all = lines(text, glue)
      for (const [at, line] of between) if (line !== '') all.splice(at % (all.length + 1), 0, line)
      return all
    })
  const stream = fc
    .tuple(fc.boolean(), fc.array(event, { minLength: 1, maxLength: 4 }), fc.array(lineEnd, { minLength: 1, maxLength: 9 }))
    .map(([hasMark, events, ends]) => {
      let used = 0
      const end = (line: string): string => {
        return line + (ends[used++ % ends.length] ?? '\n')
      }
      // An LF behind CR is no blank line.
      const close = (text: string): string => text + (text.endsWith('\r') ? '\r' : end(''))
      const text = events.map((all) => close(all.map(end).join(''))).join('')
      return (hasMark ? '\ufeff' : '') + text
    })

  it('holds the filtered messages of the one that came, with their ids and names', () => {
    fc.assert(
      fc.property(stream, (text) => {
        expect(read(filter(text))).toEqual(filterEach(read(text)))
      }),
      { numRuns: 2000 },
    )
  })
})
