/** What the image says about how it is run. The Dockerfile says the same. */
export const IMAGE = {
  /** A user that has nothing else: the one of distroless images. */
  user: 65532,
  entrypoint: ['/usr/bin/node', '/app/bin/open-mcp-auth-proxy.cjs'],
  command: ['--config', '/etc/open-mcp-auth-proxy/config.yaml'],
  healthcheck: ['/usr/bin/node', '/app/healthcheck.mjs'],
  port: 8080,
  /** For `store.path` of SQLite, and nothing else: the rest of the image may be read-only. */
  state: '/var/lib/open-mcp-auth-proxy',
} as const
