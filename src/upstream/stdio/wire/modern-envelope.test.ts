import { expect, it } from 'vitest'
import { createMessage } from '../../../../test/support/fake-processes.ts'
import { createCall } from '../../../../test/support/fake-reply.ts'
import { findAcceptedForms } from './accept-header.ts'
import type { ChildMessage } from './child-messages.ts'
import { META_KEYS, readEnvelope, statusOfAnswer } from './modern-envelope.ts'
import { measureFilter, readFilter, wants } from './subscription-filter.ts'

const meta = { [META_KEYS.protocolVersion]: '2026-07-28', [META_KEYS.clientCapabilities]: {} }
const read = (more: object) => readEnvelope(createMessage('x', { _meta: { ...meta, ...more } }))

it('a request of 2026-07-28 says its version, its capabilities and who it is', () => {
  const clientInfo = { name: 'c', version: '1' }
  expect(read({ [META_KEYS.clientInfo]: clientInfo, [META_KEYS.logLevel]: 'debug' })).toEqual({
    protocolVersion: '2026-07-28',
    capabilities: {},
    clientInfo,
    logLevel: 'debug',
  })
})

it.each([
  { [META_KEYS.protocolVersion]: undefined },
  { [META_KEYS.clientCapabilities]: [] },
  { [META_KEYS.clientInfo]: { name: 'c' } },
  { [META_KEYS.logLevel]: 'loud' },
])('a request is told what is wrong with %j', (more) => {
  expect(read(more)).toEqual(expect.any(String))
})

it.each([
  [-32601, 404],
  [-32020, 400],
  [-32021, 400],
  [-32022, 400],
  [-32602, 200],
])('the error %i has the status %i', (code, status) => {
  expect(statusOfAnswer({ error: { code } })).toBe(status)
})

it.each([
  ['application/json, text/event-stream', 'both'],
  ['*/*', 'both'],
  ['text/event-stream', 'stream'],
  ['TEXT/*; q=1', 'stream'],
  ['application/json', 'json'],
  ['image/png', 'json'],
])('a client that accepts %s reads %s', (accept, forms) => {
  expect(findAcceptedForms(createCall({}, { headers: ['accept', accept] }))).toBe(forms)
})

const notify = (method: string, params = {}) => ({ method, value: { params } }) as unknown as ChildMessage

it('a subscription gets what it names, and nothing else', () => {
  const filter = readFilter(
    createMessage('subscriptions/listen', {
      notifications: { toolsListChanged: true, promptsListChanged: 1, resourceSubscriptions: ['a', 5], taskIds: ['t'] },
    }),
  )
  const got = [
    notify('notifications/tools/list_changed'),
    notify('notifications/prompts/list_changed'),
    notify('notifications/resources/updated', { uri: 'a' }),
    notify('notifications/resources/updated', { uri: 'b' }),
    notify('notifications/tasks', { taskId: 't' }),
    notify('notifications/tasks', { taskId: 'u' }),
    notify('notifications/progress'),
  ].map((message) => wants(filter, message))
  expect(got).toEqual([true, false, true, false, true, false, false])
  expect(measureFilter(filter)).toBeGreaterThan(measureFilter({}))
})
