import { hkdfSync } from 'node:crypto'
import type { ConfigInput } from '../schema/schema.ts'
import type { GoMetadata, GoProxyConfig } from './schema.ts'
import type { GoNotes } from './translation-notes.ts'

/** What a translation says about the authorization server that the proxy is with Asgardeo behind it. */
export interface GoAsgardeo {
  readonly config: Pick<ConfigInput, 'identity_provider' | 'broker'>
  /** Secrets of the old file, by the name that the new configuration has for them. */
  readonly secrets: Readonly<Record<string, string>>
}

const NOTHING: GoAsgardeo = { config: {}, secrets: {} }
const CLIENT_SECRET = 'ASGARDEO_CLIENT_SECRET'
const STORE_KEY = 'BROKER_KEY'

/** Whether a block names an organization to work with, and not only what is to be published. */
export function isTenant(tenant: GoProxyConfig['demo']): tenant is NonNullable<GoProxyConfig['demo']> {
  return tenant?.org_name !== undefined || tenant?.client_id !== undefined
}

/** Whether the Go proxy registered clients at Asgardeo: by its flag, or because the file names no other way to sign users in. */
export function usesAsgardeo(go: GoProxyConfig, metadata: GoMetadata, flag: boolean): boolean {
  if (flag) return true
  const hasOther = (metadata.authorization_servers ?? []).length > 0 || go.default?.base_url || go.auth_server_base_url
  return isTenant(go.asgardeo) && !hasOther
}

const DEMO_KEYS = ['org_name', 'client_id', 'client_secret'] as const

/** The Go proxy's own sandbox, whose secret was published with it. */
const GONE = 'openmcpauthdemo'

/**
 * Whether there is a block that says where `--demo` signs users in. One that is incomplete is a mistake, and not no block. The one that the
 * Go proxy came with is none: its organization is gone.
 */
export function hasDemo({ demo }: GoProxyConfig): boolean {
  return DEMO_KEYS.some((key) => demo?.[key] !== undefined) && demo?.org_name !== GONE
}

/** Says where users sign in instead. */
export function noteGone({ demo }: GoProxyConfig, notes: GoNotes): void {
  if (demo?.org_name !== GONE) return
  notes.note('demo.org_name', `the sandbox ${GONE} of the Go proxy is gone. Users sign in at a sandbox on this machine instead.`)
}

/** What `--demo` asks for where there is a block for it: the organization of the `demo` block in the place of that of the `asgardeo` block. */
export function useDemo({ demo, ...go }: GoProxyConfig, notes: GoNotes): GoProxyConfig {
  const missing = DEMO_KEYS.filter((key) => demo?.[key] === undefined)
  const fix =
    'Name the organization, and the client id and secret of its machine-to-machine application; or leave the block out to sign in at the sandbox that comes with the proxy.'
  for (const key of missing) notes.refuse(['demo', key], { reason: 'is missing; `--demo` needs it', fix })
  const block = { org_name: '-', client_id: '-', client_secret: '-', ...demo }
  return { ...go, asgardeo: block }
}

/**
 * Translates the `asgardeo` block.
 *
 * @param isUsed - whether it is what users sign in with
 */
export function translateAsgardeo(go: GoProxyConfig, metadata: GoMetadata, isUsed: boolean, notes: GoNotes): GoAsgardeo {
  if (!isUsed) {
    if (isTenant(go.asgardeo))
      notes.note(
        'asgardeo',
        'is not used: tokens come from the issuers that are named elsewhere. Start with `--asgardeo` to use it.',
      )
    return NOTHING
  }
  const { org_name: organization, client_id: id, client_secret: secret } = go.asgardeo ?? {}
  refuseMissing(go, notes)
  if (organization === undefined || id === undefined || secret === undefined) return NOTHING
  noteChanges(metadata, notes)
  return {
    config: {
      identity_provider: {
        kind: 'asgardeo',
        organization,
        ...findServer(metadata, organization),
        admin: { client_id: id, client_secret: { env: CLIENT_SECRET } },
      },
      broker: { encryption_keys: [{ env: STORE_KEY }] },
    },
    secrets: { [CLIENT_SECRET]: secret, [STORE_KEY]: deriveKey(secret) },
  }
}

function refuseMissing({ asgardeo }: GoProxyConfig, notes: GoNotes): void {
  const missing = (['org_name', 'client_id', 'client_secret'] as const).filter((key) => asgardeo?.[key] === undefined)
  const fix = 'Name the organization, and the client id and secret of its machine-to-machine application.'
  if (missing.length === 3) notes.refuse(['asgardeo'], { reason: 'is missing; `--asgardeo` needs it', fix })
  else for (const key of missing) notes.refuse(['asgardeo', key], { reason: 'is missing', fix })
}

/** WSO2 Identity Server, where the issuer of the organization is listed as one of another server than Asgardeo's. */
function findServer({ authorization_servers: servers }: GoMetadata, organization: string): { base_url?: string } {
  const [first = ''] = servers ?? []
  const [base, rest] = first.split(`/t/${organization}`)
  const isHere = base !== undefined && rest !== undefined && /^(?:\/oauth2(?:\/token)?)?\/?$/.test(rest)
  return isHere && base !== 'https://api.asgardeo.io' ? { base_url: base } : {}
}

/** The old file has no key for what is kept. One is made of its secret, so that the next start can read it. */
function deriveKey(secret: string): string {
  return Buffer.from(hkdfSync('sha256', secret, '', 'open-mcp-auth-proxy store', 32)).toString('base64')
}

function noteChanges(metadata: GoMetadata, notes: GoNotes): void {
  notes.note(
    'asgardeo',
    'one application is made at Asgardeo for all clients, which register with the proxy (`identity_provider.registration: per_client` makes one for each). Access tokens are those of the proxy.',
  )
  notes.note(
    'asgardeo.client_secret',
    'is in the configuration file, and copies and version history would keep it: `migrate` prints one that names an environment variable. It also encrypts open-mcp-auth-proxy.db, where sign-ins are remembered (`encryption_keys`, `store`).',
  )
  if (metadata.scopes_supported !== undefined)
    notes.note(
      'scopes_supported',
      'every user of the organization may have these scopes (`identity_provider.grant` says who may have which, `identity_provider.api_resource` leaves it to Asgardeo).',
    )
}
