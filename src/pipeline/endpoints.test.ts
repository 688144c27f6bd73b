import { describe, expect, it } from 'vitest'
import type { Route } from '../core/route.ts'
import { createEndpoints } from './endpoints.ts'

const root = '/.well-known/oauth-protected-resource'

function createRoute(path: string, changes: Partial<Route> = {}): Route {
  const resource = { identifier: `https://mcp.example${path}`, metadataPath: root + path, scopesSupported: [], bearerMethods: [] }
  return { path, kind: 'streamable_http', server: 'files', resource, ...changes } as unknown as Route
}

function list(...routes: Route[]) {
  const endpoints = createEndpoints({ routes, handlers: [['/token', () => undefined]], isReady: () => false })
  return { endpoints, paths: [...endpoints].map(([path, { kind }]) => `${kind} ${path}`).sort() }
}

describe('the endpoints', () => {
  it('are those of the routes with their metadata, of the parts that answer for themselves, and two for health', () => {
    expect(list(createRoute('/a', { server: 'a' }), createRoute('/b', { server: 'b' })).paths).toEqual([
      'guarded /a',
      'guarded /b',
      'handled /token',
      'health /healthz',
      'health /readyz',
      `metadata ${root}/a`,
      `metadata ${root}/b`,
    ])
  })

  it('have metadata at the root where there is one server alone', () => {
    expect(list(createRoute('/sse', { kind: 'sse' }), createRoute('/messages', { kind: 'messages' })).paths).toEqual([
      'guarded /messages',
      'guarded /sse',
      'handled /token',
      'health /healthz',
      'health /readyz',
      `metadata ${root}`,
      `metadata ${root}/sse`,
    ])
  })

  it('say that the process lives although it is not ready', () => {
    const { endpoints } = list(createRoute('/a'))
    const healthy = (path: string) => {
      const endpoint = endpoints.get(path)
      return endpoint?.kind === 'health' && endpoint.isHealthy()
    }
    expect([healthy('/healthz'), healthy('/readyz')]).toEqual([true, false])
  })
})
