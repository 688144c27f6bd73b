import { z } from 'zod'
import { findHttpMethodMistake, findListenHostMistake, findOriginMistake } from '../format/formats.ts'
import { headerNames, list, seconds, text, whole } from './values.ts'

const tls = z
  .strictObject({
    cert_file: z.string().min(1).describe('Certificate chain, PEM.'),
    key_file: z.string().min(1).describe('Private key, PEM.'),
  })
  .describe(
    'Serve HTTPS with this certificate. Without it the proxy serves plain HTTP, for example behind a load balancer that ends TLS.',
  )

export const listen = z
  .strictObject({
    host: text(findListenHostMistake)
      .default('127.0.0.1')
      .describe('Address to listen on. `0.0.0.0` and `::` mean all interfaces.'),
    port: whole(0, 65_535).default(8080).describe('Port to listen on; 0 picks a free port.'),
    reuse_port: z
      .boolean()
      .default(false)
      .describe(
        'Share the port, and the one of `admin`, with other processes that say the same, so that a new process takes over before the old one ends. For Linux (`SO_REUSEPORT`). A second process that is started by mistake takes a part of the calls, too, instead of ending with an error.',
      ),
    tls: tls.optional(),
  })
  .describe('Where the proxy listens. Sockets that systemd passes (socket activation) count instead of `host` and `port`.')

export const cors = z
  .strictObject({
    allowed_origins: list(text(findOriginMistake))
      .default([])
      .describe(
        'Origins of web pages that may call, beside those of well-known MCP clients and, where the public URL is one of this machine, of its own pages. `*` is any page.',
      ),
    allowed_headers: headerNames().default([]).describe('Request headers that pages may send beside those that MCP needs.'),
    allowed_methods: list(text(findHttpMethodMistake))
      .default([])
      .describe('HTTP methods that pages may use beside those that MCP needs.'),
    allow_credentials: z.boolean().default(false).describe('Whether pages may send cookies. Access tokens do not need it.'),
  })
  .describe('Web pages in browsers (CORS, and the check of `Origin`).')

export const limits = z
  .strictObject({
    body_bytes: whole(1024, 1_073_741_824).default(4_194_304).describe('Maximum size of a request body, in bytes.'),
    bodies_bytes: whole(1024, 17_179_869_184)
      .optional()
      .describe(
        'Memory, in bytes, for all request bodies over 16 KiB together, from their first byte until they are sent on; further ones wait their turn. One user gets at most a quarter of it, one server half, but always one body. 64 MiB unless given, or four times `body_bytes` where that is more.',
      ),
    held_bytes: whole(1_048_576, 17_179_869_184)
      .default(268_435_456)
      .describe(
        'Memory, in bytes, for what is held between clients and MCP servers, mostly processes: messages that wait for either to read, long lines that are not complete, events that are kept for clients that come back, answers over 64 KiB of any server that are held until their lists are filtered, and, while an event stream answers a call of more than 64 KiB, the arguments that a rule looked at: a stream without room for them ends at the next reload or revocation. One user gets at most a quarter of it, one server half, but always one message; of the quarter, kept events get half.',
      ),
    json_depth: whole(8, 512).default(128).describe('Maximum nesting depth of a request body.'),
    batch_members: whole(1, 10_000).default(50).describe('Maximum number of messages in a batch (2025-03-26 only).'),
    headers_seconds: seconds().default(10).describe('Seconds for the complete header section of a request.'),
    body_idle_seconds: seconds().default(30).describe('Maximum seconds between two chunks of a request body.'),
    stalled_client_seconds: seconds()
      .default(60)
      .describe('Seconds that a client may take nothing of an answer that waits for it, before it is cut off.'),
  })
  .describe('Limits for requests.')

export const log = z
  .strictObject({
    level: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info').describe('Lowest level to log.'),
    format: z
      .enum(['auto', 'json', 'pretty'])
      .default('auto')
      .describe('`json` for machines, `pretty` for people, `auto`: pretty on a terminal.'),
  })
  .describe('The log: one line per request on standard output. Never holds a token.')

export const reload = z
  .strictObject({
    watch: z
      .boolean()
      .default(false)
      .describe(
        'Whether a changed configuration file, or a file that it refers to (secrets, certificates), is put into force by itself, within three seconds. Also where it is a mounted ConfigMap or Secret.',
      ),
  })
  .describe('Reloading the configuration: see [operations.md](operations.md#reload).')

export const shutdown = z
  .strictObject({
    delay_seconds: z
      .number()
      .min(0)
      .max(3600)
      .default(0)
      .describe(
        'Seconds after SIGTERM for load balancers to notice that `/readyz` answers 503. Until they are over, everything is still served, with `Connection: close`. Behind a load balancer, give it a little more than its checks take.',
      ),
    drain_seconds: z
      .number()
      .min(0)
      .max(3600)
      .default(30)
      .describe('Seconds for running requests to finish after that, when nothing new is taken any more.'),
  })
  .describe('Stopping.')
