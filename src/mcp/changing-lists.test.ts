import { describe, expect, it } from 'vitest'
import { createAcknowledgmentReader, createDeclarationReader } from './changing-lists.ts'

const acknowledge = (notifications: object): string =>
  JSON.stringify({ jsonrpc: '2.0', method: 'notifications/subscriptions/acknowledged', params: { notifications } })
const both = acknowledge({ toolsListChanged: true, resourcesListChanged: true, promptsListChanged: false })

function read(text: string, size = text.length): readonly string[] {
  const reader = createAcknowledgmentReader()
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += size) reader.read(bytes.subarray(at, at + size))
  return reader.found ?? []
}

describe('an acknowledgment', () => {
  it.each([
    ['line feeds', `event: message\ndata: ${both}\n\n`],
    ['carriage returns and line feeds', `event: message\r\ndata:${both}\r\n\r\n`],
    ['carriage returns', `event: message\rdata: ${both}\r\r`],
    ['comments before it', `: ping\n\n:\n\ndata: ${both}\n\n`],
    ['an event without data before it', `id: 1\nretry: 5\n\ndata: ${both}\n\n`],
    ['fields behind the data', `data: ${both}\nid: 7\n\n`],
    ['data of two lines', `data: ${both.replace(',', '\ndata: ,')}\n\n`],
  ])('is read with %s, whole and in single bytes', (_what, text) => {
    expect(read(text)).toEqual(['tools', 'resources'])
    expect(read(text, 1)).toEqual(['tools', 'resources'])
  })

  it.each([
    ['its event is not complete', `data: ${both}\n`],
    ['another message comes first', `data: {"jsonrpc":"2.0","method":"notifications/message"}\n\ndata: ${both}\n\n`],
    ['it is no JSON', 'data: yes\n\n'],
    ['more than 64 KiB come before it', `:${'x'.repeat(65_536)}\n\ndata: ${both}\n\n`],
  ])('counts for nothing where %s', (_what, text) => {
    expect(read(text)).toEqual([])
    expect(read(text, 1)).toEqual([])
  })
})

it('what a server declares is looked for in the first hundred events with data: each is parsed, and a stream has room for many', () => {
  const declared = '{"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{"listChanged":true}}}}'
  const readBehind = (others: number) => {
    const reader = createDeclarationReader()
    for (let i = 0; i < others; i++) reader.read(Buffer.from('id: 1\n\ndata: {\n\n'))
    reader.read(Buffer.from(`data: ${declared}\n\n`))
    return reader.found
  }
  expect(readBehind(99)).toEqual(['tools'])
  expect(readBehind(100)).toBeUndefined()
})
