import { expect, it } from 'vitest'
import { loadConfigValue } from '../config/load.ts'
import type { ConfigInput } from '../config/schema/schema.ts'
import { digestConfiguration } from './configuration-digest.ts'

const server = {
  path: '/mcp',
  upstream: { url: 'http://127.0.0.1:1/mcp', headers: { 'x-key': { env: 'KEY' }, 'x-other': { text: 'other' } } },
}

function digest(config: Partial<ConfigInput> = {}, key = 'first-key-of-the-upstream'): string {
  const value = { issuers: ['https://idp.example.com'], servers: [server], session_key: { env: 'SESSION' }, ...config }
  const env = { KEY: key, SESSION: `${key} and something to make it long` }
  return digestConfiguration(loadConfigValue(value, { env, directory: '/', terminal: false }).plan)
}

it('is the same for the same settings, in whatever order they stand and whatever the secrets are', () => {
  const { url, headers } = server.upstream
  const turned = { upstream: { headers: { 'x-other': headers['x-other'], 'x-key': headers['x-key'] }, url }, path: '/mcp' }
  expect(digest({ servers: [turned] })).toBe(digest())
  expect(digest({}, 'second-key-of-the-upstream')).toBe(digest())
})

it.each<[string, Partial<ConfigInput>]>([
  ['a rule', { servers: [{ ...server, rules: [{ tool: 'x', deny: true }] }] }],
  ['an upstream', { servers: [{ ...server, upstream: 'http://127.0.0.1:2/mcp' }] }],
  ['an issuer', { issuers: ['https://other.example.com'] }],
  ['a limit', { limits: { body_bytes: 5000 } }],
])('is another one with %s changed', (_what, changes) => {
  expect(digest(changes)).not.toBe(digest())
})

it('does not tell arguments of a program apart, which may be passwords that are easy to guess, but programs', () => {
  const run = (...command: string[]) => digest({ servers: [{ path: '/mcp', upstream: { command } }] })
  expect(run('serve', '--password', 'hunter2')).toBe(run('serve', '--password', 'letmein'))
  expect(run('other', '--password', 'hunter2')).not.toBe(run('serve', '--password', 'hunter2'))
  expect(run('serve', '--password')).not.toBe(run('serve', '--password', 'hunter2'))
})

it('does not tell a client secret among `token_parameters` apart', () => {
  const endpoints = {
    issuer: 'https://idp.example.com',
    authorization_endpoint: 'https://idp.example.com/authorize',
    token_endpoint: 'https://idp.example.com/token',
  }
  const add = (token_parameters: Record<string, string>) => digest({ rewrite: { ...endpoints, token_parameters } })
  expect(add({ client_secret: 'hunter2' })).toBe(add({ client_secret: 'letmein' }))
  expect(add({ audience: 'hunter2' })).not.toBe(add({ client_secret: 'hunter2' }))
})
