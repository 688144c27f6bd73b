import { createServer } from 'node:http'
import { expect, it } from 'vitest'
import { closeServer, listenOnLoopback } from './listen.ts'

it('the sandbox, whose passwords are known, is for this machine alone', async () => {
  const server = createServer()
  const port = await listenOnLoopback(server, 0)
  expect(server.address()).toEqual({ address: '127.0.0.1', family: 'IPv4', port })
  await closeServer(server)
})
