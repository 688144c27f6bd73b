import { isUsableRedirectUri } from '../../core/redirect-uris.ts'
import { REWRITE_PATHS } from '../../core/rewrite-paths.ts'
import { listEndpoints } from '../derive/endpoints.ts'
import { entriesOf } from '../derive/present-items.ts'
import { resolvePublicUrl } from '../derive/public-url.ts'
import type { PartialConfig } from '../schema/partial-config.ts'
import type { RewriteConfig } from '../schema/rewrite.ts'
import type { Config } from '../schema/schema.ts'
import type { CheckContext } from './check-context.ts'

const at = ['rewrite']
const ENDPOINTS = ['authorization_endpoint', 'token_endpoint', 'registration_endpoint'] as const

/** Members that metadata of a rewriting proxy cannot have: they are ours, or would promise what is not there. */
const NOT_FOR_METADATA = ['issuer', ...ENDPOINTS, 'authorization_response_iss_parameter_supported']

/** Checks that requests are not passed on to this proxy itself, that the tokens are accepted, and that no endpoint collides. */
export function checkRewrite(context: CheckContext): void {
  const { config, report } = context
  const { rewrite } = config
  if (rewrite === undefined) return
  if (config.identity_provider !== undefined || config.broker !== undefined) {
    report(at, {
      reason: 'excludes `identity_provider`: both answer at /authorize, /token and /register',
      fix: 'Remove `rewrite`; with `identity_provider` it is not needed.',
    })
  }
  checkIssuer(rewrite, context)
  checkEndpoints(rewrite, context)
  checkMetadata(rewrite, context)
  checkRedirectUris(rewrite, context)
  checkPaths(context)
}

function checkIssuer({ issuer }: PartialConfig<RewriteConfig>, { config, isBroken, report }: CheckContext): void {
  if (issuer === undefined || isBroken(['issuers'])) return
  const isAccepted = entriesOf(config.issuers).some(([, entry]) => entry.issuer === issuer)
  if (
    isAccepted &&
    entriesOf(config.issuers).length === 1 &&
    entriesOf(config.servers).every(([, server]) => server.issuers === undefined)
  )
    return
  report([...at, 'issuer'], {
    reason: 'is not the only one of `issuers`; the proxy is the authorization server of every server then',
    fix: 'List this issuer under `issuers`, and no other, there or at a server.',
  })
}

/** Requests that came back to us would be passed on for ever. */
function checkEndpoints(rewrite: PartialConfig<RewriteConfig>, { config, report }: CheckContext): void {
  const own = findOwnOrigin(config)
  for (const key of ENDPOINTS) {
    const url = rewrite[key]
    if (url === undefined || !URL.canParse(url) || new URL(url).origin !== own) continue
    report([...at, key], { reason: 'is this proxy itself', fix: 'Write the endpoint of the identity provider.' })
  }
  const parameters = rewrite.registration_parameters
  if (rewrite.registration_endpoint !== undefined || parameters === undefined || Object.keys(parameters).length === 0) return
  report([...at, 'registration_parameters'], {
    reason: 'has no use without `registration_endpoint`',
    fix: 'Remove it, or add the endpoint.',
  })
}

function findOwnOrigin(config: PartialConfig<Config>): string | undefined {
  try {
    return new URL(resolvePublicUrl(config as Config)).origin
  } catch {
    return undefined
  }
}

function checkMetadata({ metadata }: PartialConfig<RewriteConfig>, { report }: CheckContext): void {
  for (const key of NOT_FOR_METADATA) {
    if (metadata === undefined || !Object.hasOwn(metadata, key)) continue
    report([...at, 'metadata', key], { reason: 'is filled in by the proxy', fix: 'Remove it.' })
  }
}

function checkRedirectUris({ redirect_uris: uris = [] }: PartialConfig<RewriteConfig>, { report }: CheckContext): void {
  for (const [index, uri] of uris.entries()) {
    if (uri === undefined || isUsableRedirectUri(uri)) continue
    report([...at, 'redirect_uris', index], {
      reason: 'is no redirect URI that can be used',
      fix: 'Write it whole and exact: https, http on this machine, or a scheme of the application’s own.',
    })
  }
}

function checkPaths({ config, report }: CheckContext): void {
  const taken: readonly string[] = Object.values(REWRITE_PATHS)
  for (const [index, server] of entriesOf(config.servers)) {
    for (const { path, at: below } of listEndpoints(server)) {
      if (!taken.includes(path)) continue
      report(['servers', index, ...below], {
        reason: `is a path that the proxy passes on to the identity provider (${path})`,
        fix: 'Choose another path, for example /mcp.',
      })
    }
  }
}
