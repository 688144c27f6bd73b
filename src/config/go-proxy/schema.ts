import { z } from 'zod'

/** The Go proxy's YAML library took any scalar for a text. */
const word = z.preprocess(
  (value) => (typeof value === 'number' || typeof value === 'boolean' ? String(value) : value),
  z.string(),
)

/** The words of YAML 1.1 for true and false. */
const flag = z.preprocess((value) => {
  if (typeof value !== 'string') return value
  if (/^(?:y|yes|on|true)$/i.test(value)) return true
  return /^(?:n|no|off|false)$/i.test(value) ? false : value
}, z.boolean())

/** A list; one word stands for a list of one. */
const words = z.preprocess((value) => (typeof value === 'string' ? [value] : value), z.array(word))

const amount = z.number().min(0)

/** What the Go proxy published about itself. Stood at the top, in a block of its own, or (in its README) below `asgardeo`. */
const metadataShape = {
  resource_identifier: word.optional(),
  audience: words.optional(),
  scopes_supported: z.unknown().optional(),
  authorization_servers: words.optional(),
  jwks_uri: word.optional(),
  bearer_methods_supported: words.optional(),
}

const tenant = z.strictObject({
  org_name: word.optional(),
  client_id: word.optional(),
  client_secret: word.optional(),
  ...metadataShape,
})

const params = z.array(z.strictObject({ name: word, value: word.optional() }))

const pathRewrite = z.strictObject({
  response: z.record(z.string(), z.unknown()).optional(),
  addQueryParams: params.optional(),
  addBodyParams: params.optional(),
  required_scopes: z.unknown().optional(),
})

const subprocess = {
  enabled: flag.optional(),
  user_command: word.optional(),
  work_dir: word.optional(),
  args: words.optional(),
  env: words.optional(),
}

/** The Go proxy's configuration file: every key that it ever had. */
export const goProxySchema = z.strictObject({
  base_url: word.optional(),
  mcp_server_base_url: word.optional(),
  port: amount.optional(),
  listen_port: amount.optional(),
  listen_address: word.optional(),
  proxy_base_url: word.optional(),
  timeout_seconds: amount.optional(),
  paths: z.strictObject({ sse: word.optional(), messages: word.optional(), streamable_http: word.optional() }).optional(),
  mcp_paths: words.optional(),
  transport_mode: z.enum(['sse', 'stdio', 'streamable_http']).optional(),
  stdio: z.strictObject(subprocess).optional(),
  command: z
    .strictObject({
      ...subprocess,
      base_url: word.optional(),
      port: amount.optional(),
      sse_path: word.optional(),
      message_path: word.optional(),
    })
    .optional(),
  path_mapping: z.record(z.string(), word).optional(),
  mode: word.optional(),
  cors: z
    .strictObject({
      allowed_origins: words.optional(),
      allowed_methods: words.optional(),
      allowed_headers: words.optional(),
      allow_credentials: flag.optional(),
    })
    .optional(),
  demo: tenant.optional(),
  asgardeo: tenant.optional(),
  default: z
    .strictObject({
      base_url: word.optional(),
      jwks_url: word.optional(),
      path: z.record(z.string(), pathRewrite).optional(),
      ...metadataShape,
    })
    .optional(),
  auth_server_base_url: word.optional(),
  jwks_url: word.optional(),
  // Fields without a name of their own, which its YAML library filled from these; they were never documented.
  authserverbaseurl: z.unknown().optional(),
  jwksurl: z.unknown().optional(),
  ...metadataShape,
  protected_resource_metadata: z.strictObject(metadataShape).optional(),
})

/** The Go proxy's configuration, read. */
export type GoProxyConfig = z.output<typeof goProxySchema>

/** What it published about itself, wherever that stood. */
export type GoMetadata = Pick<GoProxyConfig, keyof typeof metadataShape>

/** The keys of {@link GoMetadata}. */
export const GO_METADATA_KEYS = Object.keys(metadataShape) as (keyof GoMetadata)[]
