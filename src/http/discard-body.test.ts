import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { expect, it } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import { discardBody, letGo, lingerOverUnreadBody } from './discard-body.ts'

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

it('a body that goes on after its answer is discarded for two seconds, and then its connection is cut', async () => {
  const clock = createFakeClock()
  const discarding = Promise.withResolvers<void>()
  const server = createServer(async (request, response) => {
    lingerOverUnreadBody(request, response, clock)
    for await (const _ of request.iterator({ destroyOnReturn: false })) break
    request.on('data', () => discarding.resolve())
    response.end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1').resume()
  const closed = new Promise((resolve) => client.once('close', resolve))
  client.write('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n1')
  await new Promise((resolve) => client.once('data', resolve))
  client.write('2')
  await discarding.promise
  clock.advance(1999)
  expect(client.destroyed).toBe(false)
  clock.advance(1)
  await closed
  server.close()
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
