import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { expect, it } from 'vitest'
import { discardBody, letGo } from './discard-body.ts'

it('the memory of a body that is thrown away is free as soon as it has come', async () => {
  let received = 0
  const kept: Buffer[] = []
  const server = createServer((request, response) => {
    request.on('data', (piece: Buffer) => {
      received += piece.length
      kept.push(piece)
    })
    discardBody(request)
    request.on('end', () => response.end())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  client.write('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\nConnection: close\r\n\r\n')
  client.end(Buffer.alloc(1_000_000, 'x'))
  client.resume()
  await new Promise((resolve) => client.once('close', resolve))
  server.close()
  expect(received).toBe(1_000_000)
  expect(kept.reduce((bytes, { buffer }) => bytes + buffer.byteLength, 0)).toBe(0)
})

it('memory that others share is left alone', () => {
  const whole = Buffer.from(new ArrayBuffer(8)).fill('a')
  letGo(whole.subarray(0, 4))
  letGo(whole.subarray(4))
  letGo(Buffer.alloc(0))
  expect(whole.toString()).toBe('aaaaaaaa')
})

it('a piece that has been let go may be let go again', () => {
  const piece = Buffer.from(new ArrayBuffer(4))
  letGo(piece)
  letGo(piece)
  expect(piece.length).toBe(0)
})
