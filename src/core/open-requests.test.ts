import { expect, it, vi } from 'vitest'
import { ProxyError } from './errors.ts'
import { createOpenRequests, type OpenRequest } from './open-requests.ts'

const open = (of: Partial<OpenRequest>) =>
  ({ lasts: false, end: vi.fn(), decideAnew: vi.fn(async () => undefined), ...of }) as OpenRequest
const reason = new ProxyError('shutting_down')

it('ends at a shutdown what has no end of its own, and nothing else', () => {
  const requests = createOpenRequests()
  const [stream, call] = [open({ lasts: true }), open({})]
  for (const request of [stream, call]) requests.add(request)
  requests.endLasting(reason)
  expect(stream.end).toHaveBeenCalledExactlyOnceWith(reason)
  expect(call.end).not.toHaveBeenCalled()
})

it('ends those that it is asked to, says how many, and begins another era', () => {
  const requests = createOpenRequests()
  const [of, another] = [open({ server: 'one' }), open({ server: 'two' })]
  for (const request of [of, another]) requests.add(request)
  expect(requests.end(({ server }) => server === 'one', reason)).toBe(1)
  expect(of.end).toHaveBeenCalledOnce()
  expect(another.end).not.toHaveBeenCalled()
  expect(requests.era).toBe(1)
})

it('begins another era before any is decided anew', async () => {
  const requests = createOpenRequests()
  const eras: number[] = []
  requests.add(open({ decideAnew: async () => void eras.push(requests.era) }))
  await requests.decideAnew()
  expect(eras).toEqual([1])
})

it('knows each once, until it is removed', () => {
  const requests = createOpenRequests()
  const request = open({})
  requests.add(request)
  requests.add(request)
  expect([...requests]).toEqual([request])
  expect(requests.removed).toBe(0)
  requests.remove(request)
  requests.remove(request)
  expect(requests.size).toBe(0)
  expect(requests.removed).toBe(1)
})
