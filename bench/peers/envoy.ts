import type { PeerKind, PeerSetting } from './peer.ts'

/** As many as this proxy remembers. */
const CACHED_TOKENS = 10_000

/** Envoy with one worker: `jwt_authn` with its cache of verified tokens, the key set at hand. */
export const envoy: PeerKind = {
  name: 'Envoy',
  program: 'envoy',
  verifies: true,
  files: (setting) => ({ 'envoy.json': JSON.stringify(createConfig(setting)) }),
  format: (folder) => ['-c', `${folder}/envoy.json`, '--concurrency', '1', '--disable-hot-restart', '-l', 'error'],
}

function createConfig({ port, upstreamPort, ...setting }: PeerSetting): unknown {
  return {
    static_resources: {
      listeners: [{ address: formatAddress(port), filter_chains: [{ filters: [createHttp(setting)] }] }],
      clusters: [
        {
          name: 'server',
          type: 'STATIC',
          connect_timeout: '5s',
          load_assignment: {
            cluster_name: 'server',
            endpoints: [{ lb_endpoints: [{ endpoint: { address: formatAddress(upstreamPort) } }] }],
          },
        },
      ],
    },
  }
}

const formatAddress = (port: number): unknown => ({ socket_address: { address: '127.0.0.1', port_value: port } })

const typeUrl = (name: string): string => `type.googleapis.com/envoy.extensions.filters.${name}`

type Trust = Pick<PeerSetting, 'issuer' | 'audience' | 'keySet'>

function createHttp(trust: Trust): unknown {
  const route = { match: { prefix: '/' }, route: { cluster: 'server', timeout: '0s' } }
  return {
    name: 'http',
    typed_config: {
      '@type': typeUrl('network.http_connection_manager.v3.HttpConnectionManager'),
      stat_prefix: 'http',
      route_config: { virtual_hosts: [{ name: 'all', domains: ['*'], routes: [route] }] },
      http_filters: [
        { name: 'jwt', typed_config: createAuthentication(trust) },
        { name: 'router', typed_config: { '@type': typeUrl('http.router.v3.Router') } },
      ],
    },
  }
}

function createAuthentication({ issuer, audience, keySet }: Trust): unknown {
  return {
    '@type': typeUrl('http.jwt_authn.v3.JwtAuthentication'),
    providers: {
      issuer: {
        issuer,
        audiences: [audience],
        local_jwks: { inline_string: keySet },
        jwt_cache_config: { jwt_cache_size: CACHED_TOKENS },
      },
    },
    rules: [{ match: { prefix: '/' }, requires: { provider_name: 'issuer' } }],
  }
}
