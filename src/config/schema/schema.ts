import { z } from 'zod'
import { findHostMistake, findNetworkMistake, findPublicUrlMistake } from '../format/formats.ts'
import { access, mode } from './access.ts'
import { accessKeys } from './access-keys.ts'
import { admin } from './admin.ts'
import { audit } from './audit.ts'
import { broker, identityProvider } from './broker.ts'
import { cors, limits, listen, log, reload, shutdown } from './edge.ts'
import { egressProxy } from './egress.ts'
import { issuerOrText } from './issuer.ts'
import { rateLimits } from './rate-limits.ts'
import { rewrite } from './rewrite.ts'
import { servers } from './server.ts'
import { encryptionKeys, store } from './store.ts'
import { list, secret, text, whole } from './values.ts'

/** The configuration file. Types, validation, JSON Schema and documentation are all made from this. */
export const configSchema = z
  .strictObject({
    public_url: text(findPublicUrlMistake)
      .optional()
      .describe(
        'Origin under which clients reach the proxy, `https://mcp.example.com`, without a path. Optional while listening on loopback.',
      ),
    listen: listen.prefault({}),
    allowed_hosts: list(text(findHostMistake))
      .default([])
      .describe(
        '`Host` values that are accepted beside the one of `public_url` and, on loopback, the names of this machine. `*` is any.',
      ),
    trusted_proxies: list(text(findNetworkMistake))
      .default([])
      .describe(
        'Addresses or CIDR blocks of proxies before this one. Whose requests they pass on is read from `X-Forwarded-For` or `Forwarded`: the last address that is none of theirs. Where both are there and disagree, as where a proxy passes on what the client wrote in one of them, the address of the proxy itself counts.',
      ),
    cors: cors.prefault({}),
    limits: limits.prefault({}),
    log: log.prefault({}),
    shutdown: shutdown.prefault({}),
    reload: reload.prefault({}),
    admin: admin.optional(),
    audit: audit.optional(),
    session_key: secret
      .optional()
      .describe(
        'Key that ties MCP sessions to who opened them: at least 32 bytes, Base64 or text. By default it is derived from the last of `encryption_keys`, or without those random at each start: set it then when several instances share the work, or MCP sessions must outlive a restart.',
      ),
    issuers: list(issuerOrText)
      .default([])
      .describe(
        'Authorization servers whose access tokens are accepted, for every server that lists none itself, beside the proxy’s own where there is an `identity_provider`.',
      ),
    egress_proxy: egressProxy
      .optional()
      .describe(
        'The egress proxy: the forward proxy of your network, through which the proxy reaches other hosts. Without this block, the variables `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` say it. See [behind a company proxy](recipes/company-proxy.md).',
      ),
    keys: accessKeys
      .default([])
      .describe('Access keys of callers without a browser, beside those that `keys create` keeps in the store.'),
    stored_keys: z
      .boolean()
      .default(true)
      .describe('Whether access keys that `keys create` keeps in the store are accepted. Those under `keys` are in any case.'),
    store: store
      .optional()
      .describe(
        'Where state is kept that outlives a restart: with an `identity_provider` by default a SQLite file, otherwise in memory.',
      ),
    encryption_keys: encryptionKeys
      .optional()
      .describe(
        'Encryption keys for what is stored, 32 bytes as Base64 each. The first encrypts, all of them decrypt. Needed with an `identity_provider`, unless `store.kind` is `memory`. The key of MCP sessions is derived from the last one.',
      ),
    identity_provider: identityProvider.optional(),
    broker: broker.optional(),
    rewrite: rewrite.optional(),
    access: access.optional().describe('Who may use what on every server, beside what servers say themselves.'),
    access_mode: mode.default('enforce').describe('`shadow`: `access` is decided and logged as `would_deny`, not enforced.'),
    rate_limits: rateLimits
      .default([])
      .describe('How much may be used, counted over all servers unless `per` has `server` or `tool`. See [limits](limits.md).'),
    replicas: whole(1, 1000)
      .default(1)
      .describe(
        'How many processes serve this configuration. While they cannot count `rate_limits` together (in Redis), each has its part of every limit.',
      ),
    servers: servers.describe('The MCP servers behind the proxy.'),
  })
  .describe('Configuration of Open MCP Auth Proxy.')

/** A valid configuration with every default filled in. */
export type Config = z.output<typeof configSchema>

/** A configuration as it may be written: keys with a default left out, shorthands used. */
export type ConfigInput = z.input<typeof configSchema>
