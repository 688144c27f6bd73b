import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'

/**
 * Ports that Linux gives to no connection and to no server that asks for any port: those begin at 32768 (`ip_local_port_range`).
 * The bus of a Redis cluster is 10,000 above its port, and stays below as well.
 */
const FIRST = 12_000
const COUNT = 10_000

/**
 * A port of 127.0.0.1 on which nothing listens, and which no other test gets while this process runs: a port that was only free a moment ago may be
 * taken by another file of the suite, or by a connection to somewhere.
 */
export async function findFreePort(): Promise<number> {
  for (let attempt = 0; attempt < COUNT; attempt += 1) {
    const port = FIRST + randomInt(COUNT)
    if (await take(port)) return port
  }
  throw new Error('no port is free')
}

/** The first of two ports beside each other. */
export async function findFreePair(): Promise<number> {
  for (let attempt = 0; attempt < COUNT; attempt += 1) {
    const port = await findFreePort()
    if (await take(port + 1)) return port
  }
  throw new Error('no two free ports beside each other')
}

/** Different ones. */
export async function findFreePorts(count: number): Promise<number[]> {
  return Promise.all(Array.from({ length: count }, findFreePort))
}

const take = async (port: number): Promise<boolean> => (await reserve(port)) && (await isFree(port))

/** Held until this process ends, and by the system: an abstract socket, as only Linux has them, leaves no file behind. */
async function reserve(port: number): Promise<boolean> {
  if (process.platform !== 'linux') return true
  const reservation = await tryToListen(`\0open-mcp-auth-proxy-test-port-${port}`)
  reservation?.unref()
  return reservation !== undefined
}

async function isFree(port: number): Promise<boolean> {
  const probe = await tryToListen({ port, host: '127.0.0.1' })
  if (probe === undefined) return false
  probe.close()
  await once(probe, 'close')
  return true
}

async function tryToListen(where: string | { readonly port: number; readonly host: string }): Promise<Server | undefined> {
  const server = createServer()
  server.listen(where)
  try {
    await once(server, 'listening')
    return server
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    return undefined
  }
}
