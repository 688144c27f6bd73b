import { execFile } from 'node:child_process'
import { createServer } from 'node:net'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { listenOnLoopback } from '../../src/sandbox/listen.ts'
import { findFreePair, findFreePort, findFreePorts } from './free-port.ts'

const script = `import { findFreePorts } from '${new URL('./free-port.ts', import.meta.url)}'
console.log(JSON.stringify(await findFreePorts(400)))`

it('a port that was given to one test is given to no other, not in another process either', async () => {
  const list = async () => JSON.parse((await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script])).stdout)
  const mine = await findFreePorts(400)
  const theirs: number[] = await list()
  expect(new Set([...mine, ...theirs]).size).toBe(800)
})

it('a port can be listened on, and is no port that the system gives away', async () => {
  const port = await findFreePort()
  const server = createServer()
  expect(await listenOnLoopback(server as never, port)).toBe(port)
  server.close()
  expect(port).toBeLessThan(32_768 - 10_000)
})

it('two ports beside each other are free, and given to no other test', async () => {
  const port = await findFreePair()
  const servers = [createServer(), createServer()]
  for (const [index, server] of servers.entries()) await listenOnLoopback(server as never, port + index)
  for (const server of servers) server.close()
  expect(await findFreePorts(400)).not.toContain(port + 1)
})
