import { expect, it } from 'vitest'
import { loadConfigValue } from '../config/load.ts'
import type { ConfigInput } from '../config/schema/schema.ts'
import { findRestartNeeds } from './restart-needs.ts'

const env = { A: 'key-of-tests.'.repeat(4), B: 'other-key-of-tests.'.repeat(3) }
const load = (changes: Partial<ConfigInput>) =>
  loadConfigValue(
    { issuers: ['https://idp.example.com'], servers: [{ path: '/mcp', upstream: 'http://127.0.0.1:1/mcp' }], ...changes },
    { env, directory: '/', terminal: false },
  ).plan

it.each<[string[], Partial<ConfigInput>, Partial<ConfigInput>]>([
  [['listen.port'], {}, { listen: { port: 1234 } }],
  [['listen.host'], {}, { listen: { host: '127.0.0.2' } }],
  [['admin'], {}, { admin: { port: 9090 } }],
  [['admin'], { admin: { port: 9090, token: { env: 'A' } } }, { admin: { port: 9090, token: { env: 'B' } } }],
  [['session_key'], {}, { session_key: { env: 'A' } }],
  [['session_key'], { session_key: { env: 'A' } }, { session_key: { env: 'B' } }],
  [['replicas'], {}, { replicas: 3 }],
  [['audit'], {}, { audit: { file: '/tmp/audit.log' } }],
  [['reload'], {}, { reload: { watch: true } }],
  [['log.format'], { log: { format: 'json' } }, { log: { format: 'pretty' } }],
])('%j need a restart', (settings, before, after) => {
  expect(findRestartNeeds(load(before), load(after))).toEqual(settings)
  expect(findRestartNeeds(load(after), load(before))).toEqual(settings)
})

it('a session key that is random at each start stays, and needs none', () => {
  expect(findRestartNeeds(load({}), load({}))).toEqual([])
})

it('what is not known to be reloadable needs one', () => {
  expect(findRestartNeeds(load({}), { ...load({}), ...{ brandNew: 1 } })).toEqual(['brand_new'])
})
