import { createServer } from 'node:http'
import { afterAll, beforeAll, it } from 'vitest'
import { closeServer, listenOnLoopback } from '../../src/sandbox/listen.ts'
import { formatCall } from '../support/attack.ts'
import { measureMemory } from '../support/memory.ts'
import { waitUntil } from '../support/processes.ts'
import { startTestProxy, type TestProxy } from '../support/proxy.ts'
import { openRawConnection, type RawConnection } from '../support/raw-client.ts'
import { startIssuer, type TestIssuer } from '../support/tokens.ts'

const audience = 'https://mcp.example.com/mcp'
/** Reads what it is asked, keeps none of it, and answers with a stream that never ends. */
const upstream = createServer((request, response) => {
  request.resume().on('end', () => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' })
    response.write('data: begun\n\n')
  })
})
let issuer: TestIssuer
let proxy: TestProxy

beforeAll(async () => {
  const port = await listenOnLoopback(upstream, 0)
  issuer = await startIssuer({ audience })
  proxy = await startTestProxy({
    issuers: [issuer.issuer],
    servers: [{ path: '/mcp', upstream: `http://127.0.0.1:${port}/up`, audience: [audience] }],
  })
})
afterAll(async () => {
  upstream.closeAllConnections()
  await Promise.all([proxy.close(), closeServer(upstream), issuer.close()])
})

it.each([
  ['', 'echo'],
  [', not for the name of a tool that it was', 'a_tool_with_a_name_that_is_long'],
])('an answer that lasts holds nothing of the long body that it answers%s', async (_why, tool) => {
  const bodyBytes = 3 * 1024 * 1024
  const body = formatCall(tool).replace('{}', JSON.stringify({ text: 'x'.repeat(bodyBytes) }))
  const head = [
    'POST /mcp HTTP/1.1',
    `Host: localhost:${proxy.port}`,
    `Authorization: Bearer ${await issuer.mint()}`,
    'Content-Type: application/json',
    `Content-Length: ${body.length}`,
  ]
  const bytes = Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`)
  const connections: RawConnection[] = []
  const open = async () => {
    const connection = await openRawConnection(proxy.port)
    connections.push(connection)
    connection.write(bytes)
    await connection.waitFor('data: begun')
  }
  await open()
  const before = measureMemory()
  for (let i = 0; i < 10; i++) await open()
  // Memory is given back a little behind the collection that finds it unused.
  await waitUntil(() => measureMemory() - before < 3 * bodyBytes, 'the bodies are let go')
  for (const connection of connections) connection.destroy()
})
