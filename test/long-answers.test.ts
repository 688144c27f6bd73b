// Pieces of long answers are freed as soon as the system has them. Freed too early, they would arrive as nothing, or as bytes of another answer.
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openRawConnection } from './support/raw-client.ts'
import type { Answer } from './support/recording-upstream.ts'
import { createCall, createServer, formatAttempt, type Stage, startStage } from './support/stage.ts'

const ANSWER_BYTES = 4 * 1024 * 1024

let stage: Stage
beforeAll(async () => {
  stage = await startStage({ servers: (around) => [createServer(around)] })
})
afterAll(() => stage.close())

/** Different ones for each name, and at each place. */
function createBytes(name: string): Buffer {
  const bytes = Buffer.alloc(ANSWER_BYTES)
  for (let at = 0; at < ANSWER_BYTES; at += 64) bytes.write(`${name} ${at} `.padEnd(64, '.'), at, 'latin1')
  return bytes
}

interface Shape {
  readonly headers: Record<string, string>
  readonly pieceBytes: number
}

const SHAPES: readonly [what: string, shape: Shape][] = [
  [
    'of a known length',
    { headers: { 'content-type': 'application/json', 'content-length': String(ANSWER_BYTES) }, pieceBytes: 1024 * 1024 },
  ],
  ['in chunks of many lengths', { headers: { 'content-type': 'application/json' }, pieceBytes: 17_000 }],
  ['as an event stream', { headers: { 'content-type': 'text/event-stream' }, pieceBytes: 40_000 }],
]

/** Writes as much as is taken. Each answer is about the name in its request. */
function answerLong({ headers, pieceBytes }: Shape, onStalled: (name: string) => void): Answer {
  return async (request, response) => {
    const name = /"name":"(\w+)"/.exec((await request.body).toString())?.[1] ?? ''
    const bytes = createBytes(name)
    response.writeHead(200, headers)
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      if (response.write(bytes.subarray(at, at + pieceBytes))) continue
      onStalled(name)
      await once(response, 'drain')
    }
    response.end()
  }
}

describe('long answers to many clients at a time', () => {
  it.each(SHAPES)('%s arrive whole, also where clients read nothing for a while', async (_what, shape) => {
    const names = Array.from({ length: 4 }, (_, index) => `client${index}`)
    const isSlow = (name: string): boolean => names.indexOf(name) % 2 === 1
    const stalled = new Set<string>()
    const allStalled = Promise.withResolvers<void>()
    stage.answerWith(
      answerLong(shape, (name) => {
        if (isSlow(name)) stalled.add(name)
        if (stalled.size === names.length / 2) allStalled.resolve()
      }),
    )
    const receive = async (name: string): Promise<Buffer> => {
      const connection = await openRawConnection(stage.proxy.port)
      if (isSlow(name)) connection.socket.pause()
      connection.write(formatAttempt(stage, { body: createCall('tools/call', { name }) }))
      await allStalled.promise
      connection.socket.resume()
      const { body } = await connection.readResponse()
      connection.destroy()
      return body
    }
    const bodies = await Promise.all(names.map(receive))
    expect(names.filter((name, index) => !createBytes(name).equals(bodies[index] ?? Buffer.alloc(0)))).toEqual([])
  })
})
