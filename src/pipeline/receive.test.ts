import { afterEach, describe, expect, it, vi } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import { openRawConnection } from '../../test/support/raw-client.ts'
import { openStepGate, type StepGate } from '../../test/support/step.ts'
import type { EndpointHandler, EndpointRequest } from '../core/endpoint-request.ts'
import type { Edge } from './edge.ts'

let gate: StepGate
afterEach(() => gate.close())

function openWith(handle: EndpointHandler, edge: Partial<Edge> = {}) {
  return openStepGate({}, { ...edge, endpoints: new Map([['/token', { kind: 'handled', handle }]]) })
}

describe('a part that answers for itself', () => {
  it('gets the path without the query, the target in one form, the address and the id of the log line', async () => {
    let seen: EndpointRequest | undefined
    let url: string | undefined
    gate = await openWith((incoming) => {
      seen = incoming
      url = incoming.request.url
      incoming.response.end()
    })
    expect((await gate.sendLines([`GET ${gate.origin}/token?a=1 HTTP/1.1`])).status).toBe(200)
    await vi.waitUntil(() => gate.records.length > 0)
    expect(url).toBe('/token?a=1')
    expect(seen).toMatchObject({ path: '/token', address: '127.0.0.1', requestId: gate.records[0]?.requestId })
  })

  it('has what it notes in the log', async () => {
    gate = await openWith(({ note, response }) => {
      note('sign_in_failed', 'the page was open for too long')
      response.writeHead(400).end()
    })
    await gate.sendLines(['GET /token HTTP/1.1'])
    await vi.waitUntil(() => gate.records.length > 0)
    expect(gate.records[0]).toMatchObject({ code: 'sign_in_failed', cause: 'the page was open for too long', status: 400 })
  })

  it('is asked while the process shuts down, too: no answer would be lost', async () => {
    gate = await openWith(({ response }) => void response.end(), { isDraining: () => true })
    expect((await gate.sendLines(['GET /token HTTP/1.1'])).status).toBe(200)
  })

  it('is not asked with a body that is too large', async () => {
    const handle = vi.fn<EndpointHandler>(({ response }) => void response.end())
    gate = await openWith(handle)
    expect((await gate.sendLines(['POST /token HTTP/1.1', `Content-Length: ${2 ** 40}`])).status).toBe(413)
    expect(handle).not.toHaveBeenCalled()
  })

  it('waits for a body for a limited time', async () => {
    const clock = createFakeClock()
    const handle = vi.fn<EndpointHandler>()
    gate = await openWith(handle, { clock })
    const connection = await openRawConnection(Number(new URL(gate.origin).port))
    connection.write(`POST /token HTTP/1.1\r\nHost: ${new URL(gate.origin).host}\r\nContent-Length: 5\r\n\r\na=`)
    await vi.waitUntil(() => handle.mock.calls.length > 0)
    clock.advance(9_999)
    expect(handle.mock.calls[0]?.[0].request.destroyed).toBe(false)
    clock.advance(1)
    await connection.closed
  })
})
