import { describe, expect, it } from 'vitest'
import type { Route } from '../core/route.ts'
import { createEndpoints, findEndpoint } from './endpoints.ts'

const root = '/.well-known/oauth-protected-resource'

function createRoute(path: string, changes: Partial<Route> = {}): Route {
  const resource = {
    identifier: `https://mcp.example${path}`,
    metadataPath: root + path,
    authorizationServers: [],
    scopesSupported: [],
    bearerMethods: [],
  }
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
      return endpoint?.kind === 'health' && endpoint.isHealthy(undefined)
    }
    expect([healthy('/healthz'), healthy('/readyz')]).toEqual([true, false])
  })

  it('are found by the exact path, or by one that ends with an id', () => {
    const endpoints = createEndpoints({
      routes: [createRoute('/mcp')],
      handlers: [['/clients/{id}', () => undefined]],
      isReady: () => true,
    })
    expect(findEndpoint(endpoints, '/mcp').kind).toBe('guarded')
    expect(findEndpoint(endpoints, '/clients/a-1_B').kind).toBe('handled')
    for (const path of [
      '/mcp/',
      '/MCP',
      '/m%63p',
      '//mcp',
      '/clients/',
      '/clients/a.b',
      '/clients/a/b',
      '/clients/%61',
      '/mcp/a',
    ]) {
      expect(() => findEndpoint(endpoints, path), path).toThrow(expect.objectContaining({ code: 'route_not_found' }))
    }
  })
})
