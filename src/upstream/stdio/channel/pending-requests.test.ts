import { describe, expect, it } from 'vitest'
import { type ClientRequest, cancelPending, PendingRequests } from './pending-requests.ts'

const named = (id: string, progressToken?: string) => ({ id, progressToken })

describe('requests in flight', () => {
  it('are found by their id and by their progress token until they are answered', () => {
    const requests = new PendingRequests<ReturnType<typeof named>>()
    const [first, second] = [named('1', '"a"'), named('2')]
    requests.add(first)
    requests.add(second)
    expect([requests.size, requests.findNewest('1'), requests.findByToken('"a"')]).toEqual([2, first, first])
    expect([requests.delete(first), requests.delete(first)]).toEqual([true, false])
    expect([requests.size, requests.findNewest('1'), requests.findByToken('"a"')]).toEqual([1, undefined, undefined])
    expect(requests.list()).toEqual([second])
  })

  it('of one id are cancelled newest first', () => {
    const requests = new PendingRequests<ReturnType<typeof named>>()
    const [older, newer] = [named('1'), named('1')]
    requests.add(older)
    requests.add(newer)
    expect(requests.findNewest('1')).toBe(newer)
    requests.delete(newer)
    expect(requests.findNewest('1')).toBe(older)
  })

  it('keep the progress token of a later request when an earlier one with the same token ends', () => {
    const requests = new PendingRequests<ReturnType<typeof named>>()
    const [older, newer] = [named('1', '"t"'), named('2', '"t"')]
    requests.add(older)
    requests.add(newer)
    requests.delete(older)
    expect(requests.findByToken('"t"')).toBe(newer)
  })

  it('are cancelled at their server once, and not at all when it has nothing of them', () => {
    const requests = new PendingRequests<ClientRequest>()
    const reasons: string[] = []
    const sent: ClientRequest = { id: '1', atServer: { kind: 'sent', cancel: (reason) => void reasons.push(reason) } }
    const unsent: ClientRequest = { id: '2', atServer: { kind: 'unsent' } }
    requests.add(sent)
    requests.add(unsent)
    expect([sent, sent, unsent].map((request) => cancelPending(requests, request, 'gone'))).toEqual([true, false, true])
    expect(reasons).toEqual(['gone'])
  })
})
