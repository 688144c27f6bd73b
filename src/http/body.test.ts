import { createServer } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { measureMemory } from '../../test/support/memory.ts'
import { readBody } from './body.ts'
import { type BodyClaim, createBodyRoom } from './body-room.ts'
import { readRequestHead } from './request-head.ts'

const limits = { bodyBytes: 400_000, bodiesBytes: 400_000, bodyIdleSeconds: 60 }
const room = createBodyRoom(limits)
const bodies: Promise<Buffer>[] = []
let received = 0
/** All room there is, taken when the first body is over. */
let taken: BodyClaim | undefined

const server = createServer((request, response) => {
  const claimRoom = (bytes: number, onLate: () => void) => {
    const claim = room.claim(bytes, { user: 'a', server: 'x' }, onLate)
    response.on('close', () => claim.release())
    return claim
  }
  bodies.push(Promise.resolve(readBody({ request, response, limits, claimRoom }, readRequestHead(request))))
  request.on('data', (piece: Buffer) => (received += piece.length))
})
let client: Socket

beforeAll(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)))
afterAll(() => {
  client.destroy()
  server.close()
})

it('a body that comes a byte at a time is held as little more than its bytes', async () => {
  const text = Array.from({ length: limits.bodyBytes }, (_, i) => i % 10).join('')
  client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const write = (bytes: string): Promise<void> => new Promise((resolve) => void client.write(bytes, () => resolve()))
  await write('POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n')
  while (bodies.length === 0) await new Promise((resolve) => setImmediate(resolve))
  const before = measureMemory()
  for (const part of text.slice(0, -1).match(/.{1,1000}/g) ?? []) await write(part.replace(/./g, '1\r\n$&\r\n'))
  while (received < text.length - 1) await new Promise((resolve) => setImmediate(resolve))
  expect(measureMemory() - before).toBeLessThan(40 * text.length)
  await write(`1\r\n${text.slice(-1)}\r\n0\r\n\r\n`)
  expect((await bodies[0])?.toString()).toBe(text)
  client.destroy()
  taken = room.claim(limits.bodyBytes, { user: 'b', server: 'y' }, () => undefined)
  await taken.given
})

it('a body that comes a byte at a time and waits for room is taken no further, and whole once there is room', async () => {
  received = 0
  const text = Array.from({ length: 100_000 }, (_, i) => i % 10).join('')
  client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const before = measureMemory()
  client.write('POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n')
  client.write(`${text.replace(/./g, '1\r\n$&\r\n')}0\r\n\r\n`)
  await settled(() => received)
  expect(received).toBeGreaterThan(16 * 1024)
  expect(received).toBeLessThan(40 * 1024)
  expect(measureMemory() - before).toBeLessThan(40 * text.length)
  taken?.release()
  expect((await bodies[1])?.toString()).toBe(text)
})

/** Waits until nothing has changed for a hundred turns. */
async function settled(look: () => number): Promise<void> {
  for (let last = -1, turns = 0; turns < 100; turns++) {
    if (look() === 0 || look() !== last) turns = 0
    last = look()
    await new Promise((resolve) => setImmediate(resolve))
  }
}
