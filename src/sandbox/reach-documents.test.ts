import { createServer, type Server } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Plan } from '../core/plan/plan.ts'
import { closeServer, listenOnLoopback } from './listen.ts'
import { canReachDocuments } from './reach-documents.ts'
import { startSandbox } from './sandbox.ts'

let server: Server
let origin: string
beforeAll(async () => {
  server = createServer((request, response) => response.writeHead(Number(request.url?.slice(1))).end('{}'))
  origin = `http://localhost:${await listenOnLoopback(server, 0)}`
})
afterAll(() => closeServer(server))

const NOWHERE = 'https://no-such-host.invalid/client.json'

describe('a sandbox', () => {
  it.each([true, false])('offers metadata documents only where it can fetch one: %s', async (canReach) => {
    const plan = { servers: [] } as unknown as Plan
    const sandbox = await startSandbox(plan, 0, async () => canReach)
    try {
      const metadata = await (await fetch(`${sandbox.issuer}/.well-known/oauth-authorization-server`)).json()
      expect(metadata).toMatchObject({ registration_endpoint: `${sandbox.issuer}/register` })
      expect(Object(metadata).client_id_metadata_document_supported === true).toBe(canReach)
    } finally {
      await sandbox.close()
    }
  })

  it('has been able to fetch one when any of them was there', async () => {
    expect(await canReachDocuments([NOWHERE, `${origin}/200`])).toBe(true)
    expect(await canReachDocuments([NOWHERE])).toBe(false)
    expect(await canReachDocuments([`${origin}/404`, `${origin}/302`, `${origin}/511`])).toBe(false)
  })
})
