// Attack family S: a stranger names hosts whose name servers take their time.
import { createSocket, type Socket } from 'node:dgram'
import { lookup } from 'node:dns'
import { once } from 'node:events'
import { stat } from 'node:fs/promises'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { DIRECT } from '../../src/core/plan/egress-plan.ts'
import { createNameServerResolver } from '../../src/oauth/name-servers.ts'
import { createSafeFetch } from '../../src/oauth/safe-fetch.ts'

vi.mock('node:dns', async (importOriginal) => {
  const original = await importOriginal<typeof import('node:dns')>()
  return { ...original, lookup: vi.fn(original.lookup) }
})

let server: Socket | undefined
afterEach(() => {
  server?.close()
  server = undefined
  vi.mocked(lookup).mockClear()
})

/** A name server that answers with one address, when it is told to, or never. */
async function startNameServer(
  address: readonly number[] | undefined,
): Promise<{ readonly address: string; readonly asked: Promise<unknown> }> {
  const socket = createSocket('udp4')
  server = socket
  const asked = once(socket, 'message')
  socket.on('message', (query, { port }) => {
    if (address === undefined) return
    const question = query.subarray(12, query.indexOf(0, 12) + 5)
    const isIpv4 = question.at(-3) === 1
    const head = Buffer.from([...query.subarray(0, 2), 0x81, 0x80, 0, 1, 0, isIpv4 ? 1 : 0, 0, 0, 0, 0])
    const answer = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...address])
    socket.send(Buffer.concat([head, question, ...(isIpv4 ? [answer] : [])]), port, '127.0.0.1')
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return { address: `127.0.0.1:${socket.address().port}`, asked }
}

describe('names that strangers choose', () => {
  it('hold up nothing else while their name server is silent, however many there are', async () => {
    const silent = await startNameServer(undefined)
    const resolveHost = createNameServerResolver([silent.address])
    let over = 0
    const lookups = Array.from(
      { length: 32 },
      (_, i) =>
        new Promise<Error | null>((resolve) => {
          resolveHost(`slow-${i}.example.com`, { all: true }, (error) => {
            over++
            resolve(error)
          })
        }),
    )
    await silent.asked
    // Reads files where signatures are verified, too.
    await Promise.all(Array.from({ length: 8 }, () => stat('.')))
    expect(over).toBe(0)
    expect(await Promise.all(lookups)).toEqual(lookups.map(() => expect.objectContaining({ code: 'ETIMEOUT' })))
  })

  it('have the addresses that their name server says', async () => {
    const { address } = await startNameServer([192, 0, 2, 1])
    const found = await new Promise((resolve, reject) => {
      createNameServerResolver([address])('a.example.com', { all: true }, (error, addresses) =>
        error ? reject(error) : resolve(addresses),
      )
    })
    expect(found).toEqual([{ address: '192.0.2.1', family: 4 }])
  })

  it('are looked up by no thread that others need, unlike those of the configuration', async () => {
    const options = { allowPrivateNetwork: false, ca: undefined, egress: DIRECT }
    const strangers = createSafeFetch({ issuer: undefined, ...options })
    await expect(strangers.fetchJson('https://localhost/client.json', { namedBy: 'metadata' })).rejects.toThrow()
    expect(lookup).not.toHaveBeenCalled()
    await strangers.close()
    const own = createSafeFetch({ issuer: 'https://localhost:1', ...options })
    await expect(own.fetchJson('https://localhost:1/jwks', { namedBy: 'operator' })).rejects.toThrow()
    expect(lookup).toHaveBeenCalled()
    await own.close()
  })
})
