import { createServer } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import { closeServer, listenOnLoopback } from '../sandbox/listen.ts'
import { findListeningPort, findPassedSockets } from './passed-sockets.ts'

/** A socket unit with one address. */
const one = { LISTEN_PID: '7', LISTEN_FDS: '1', LISTEN_FDNAMES: 'mcp-auth-proxy.socket' }
const findPort = (descriptor: number): number => 8000 + descriptor

describe('sockets that systemd passes', () => {
  it.each([{}, { LISTEN_FDS: '1' }, { LISTEN_PID: '7' }])('are none without both variables (%o)', (env) => {
    expect(findPassedSockets(env, 7, findPort)).toEqual({})
  })

  it('are not used when they are for another process, which is said', () => {
    const { notice, ...sockets } = findPassedSockets(one, 8, findPort)
    expect(sockets).toEqual({})
    expect(notice).toContain('for process 7, and this one is 8')
  })

  it('are for clients when there is one, whatever its unit is called', () => {
    const listen = { name: 'mcp-auth-proxy.socket', descriptor: 3, port: 8003 }
    expect(findPassedSockets(one, 7, findPort)).toEqual({ listen })
    expect(findPassedSockets({ ...one, LISTEN_FDNAMES: undefined }, 7, findPort)).toEqual({ listen: { ...listen, name: '' } })
  })

  it('are for operators when the only one is named so: it is never the public one', () => {
    const passed = findPassedSockets({ ...one, LISTEN_FDNAMES: 'admin' }, 7, findPort)
    expect(passed).toEqual({ admin: { name: 'admin', descriptor: 3, port: 8003 } })
  })

  it.each([
    ['listen:admin', 3, 4],
    ['admin:listen', 4, 3],
  ])('are told apart by name, not by place (%s)', (LISTEN_FDNAMES, listen, admin) => {
    const passed = findPassedSockets({ ...one, LISTEN_FDS: '2', LISTEN_FDNAMES }, 7, findPort)
    expect([passed.listen?.descriptor, passed.admin?.descriptor]).toEqual([listen, admin])
  })

  it.each([
    ['2', undefined, 'named "", ""'],
    ['2', 'listen:listen', 'named "listen", "listen"'],
    ['2', 'listen:metrics', 'named "listen", "metrics"'],
    ['3', 'listen:admin:listen', 'named "listen", "admin", "listen"'],
    ['1', 'listen:admin', 'names 2 sockets, and LISTEN_FDS says 1'],
    ['0', undefined, 'LISTEN_FDS of socket activation is "0"'],
    ['-1', undefined, 'LISTEN_FDS of socket activation is "-1"'],
    ['1 ', undefined, 'LISTEN_FDS of socket activation is "1 "'],
    ['65', undefined, 'LISTEN_FDS of socket activation is "65"'],
  ])('are a mistake when it is not clear which is which (%s, %s)', (LISTEN_FDS, LISTEN_FDNAMES, message) => {
    expect(() => findPassedSockets({ ...one, LISTEN_FDS, LISTEN_FDNAMES }, 7, findPort)).toThrow(message)
  })

  it('are a mistake when one does not listen for TCP', () => {
    expect(() => findPassedSockets(one, 7, () => undefined)).toThrow(
      'descriptor 3 of socket activation is no TCP socket that listens',
    )
  })
})

describe.runIf(process.platform === 'linux')('the port of a descriptor', () => {
  const server = createServer()
  afterEach(() => closeServer(server))

  it('is the one on which it listens; any other file has none', async () => {
    const port = await listenOnLoopback(server, 0)
    const { fd } = (server as unknown as { _handle: { fd: number } })._handle
    expect(findListeningPort(fd)).toBe(port)
    expect(findListeningPort(0)).toBeUndefined()
    expect(findListeningPort(9999)).toBeUndefined()
  })
})
