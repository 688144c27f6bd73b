// What strangers may have us hold of their forms before anybody knows who they are.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type BrokerStage, startBrokerStage } from '../support/broker-stage.ts'
import { measureMemory } from '../support/memory.ts'
import { waitUntil } from '../support/processes.ts'
import { openRawConnection, type RawConnection } from '../support/raw-client.ts'

let stage: BrokerStage
const connections: RawConnection[] = []

beforeAll(async () => {
  stage = await startBrokerStage()
})
afterAll(async () => {
  for (const connection of connections) connection.destroy()
  await stage.close()
})

const form = `grant_type=authorization_code&client_id=nobody&code=${'x'.repeat(40_000)}`
const chunks = form.replace(/./g, '1\r\n$&\r\n')

async function send(path: string): Promise<RawConnection> {
  const connection = await openRawConnection(stage.proxy.port)
  connections.push(connection)
  const lines = [
    'Content-Type: application/x-www-form-urlencoded',
    'Transfer-Encoding: chunked',
    `Host: localhost:${stage.proxy.port}`,
  ]
  await new Promise<void>((resolve) => {
    connection.socket.write(`POST ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${chunks}`, () => resolve())
  })
  return connection
}

it.each(['/token', '/revoke', '/register'])(
  'a form that comes in single bytes takes little more than its bytes: %s',
  async (path) => {
    await send(path)
    const before = measureMemory()
    for (let i = 0; i < 8; i++) await send(path)
    let most = 0
    // By when these are answered, what was sent before has been taken in.
    for (let i = 0; i < 20; i++) {
      await fetch(`${stage.proxy.origin}/healthz`)
      most = Math.max(most, measureMemory() - before)
    }
    expect(most / 8).toBeLessThan(30 * form.length)
  },
)

it('is read as it was meant when it is whole', async () => {
  const connection = await send('/token')
  connection.write('0\r\n\r\n')
  const answer = await connection.readResponse()
  expect([answer.status, JSON.parse(answer.body.toString()).error]).toEqual([401, 'invalid_client'])
  await waitUntil(() => stage.proxy.log.text().includes('"path":"/token"'), 'the request is in the log')
})
