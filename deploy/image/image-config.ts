/** What the image says about how it is run. The Dockerfile says the same. */
export const IMAGE = {
  /** A user that has nothing else: the one of distroless images. */
  user: 65532,
  // V8's young generation would grow to 64 MiB under load. Not by NODE_OPTIONS: operators set that for other limits of the heap.
  entrypoint: ['/usr/bin/node', '--max-semi-space-size=16', '/app/bin/open-mcp-auth-proxy.cjs'],
  /**
   * glibc keeps nearly all memory that closed streams have freed; jemalloc gives it back after two seconds. By variables, which MCP servers
   * that the proxy starts do not inherit: `/etc/ld.so.preload` would load it into those as well.
   */
  env: {
    LD_PRELOAD: 'libjemalloc.so.2',
    MALLOC_CONF: 'background_thread:true,dirty_decay_ms:2000,muzzy_decay_ms:0',
  },
  command: ['--config', '/etc/open-mcp-auth-proxy/config.yaml'],
  healthcheck: ['/usr/bin/node', '/app/healthcheck.mjs'],
  port: 8080,
  /** For `store.path` of SQLite, and nothing else: the rest of the image may be read-only. */
  state: '/var/lib/open-mcp-auth-proxy',
} as const
