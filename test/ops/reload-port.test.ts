// The port that a process listens on is its own for as long as it runs, however it was chosen.
import { afterEach, describe, expect, it } from 'vitest'
import type { ConfigInput } from '../../src/config/schema/schema.ts'
import { findFreePort } from '../support/free-port.ts'
import { waitUntil } from '../support/processes.ts'
import { type Replica, startReplica } from './support/replica.ts'

let replica: Replica
afterEach(async () => {
  replica.signal('SIGKILL')
  await replica.exited
})

const configure = (port: number, server: object = {}): ConfigInput => ({
  listen: { port },
  public_url: 'http://localhost:8080',
  issuers: ['http://127.0.0.1:9'],
  servers: [{ path: '/mcp', upstream: 'http://127.0.0.1:9/mcp', ...server }],
})

const told = (part: string) => waitUntil(() => replica.told.some((line) => line.includes(part)), `standard error says ${part}`)

async function reload(config: ConfigInput, part: string): Promise<void> {
  replica.rewrite(config)
  replica.signal('SIGHUP')
  await told(part)
}

describe('a reload', () => {
  it('names another port as a change that needs a restart', async () => {
    const port = await findFreePort()
    replica = startReplica(configure(port))
    await told('is listening')
    await reload(configure(port + 1), 'listen.port')
    expect(replica.told.join('\n')).toContain('These settings need a restart')
  })

  it('keeps a port that was free at the start while the file asks for a free one, and no longer', async () => {
    replica = startReplica(configure(0))
    await told('is listening')
    await reload(configure(0, { scopes: ['more'] }), 'Reloaded.')
    await reload(configure(await findFreePort(), { scopes: ['more'] }), 'listen.port')
  })
})
