import { entriesOf } from '../derive/present-items.ts'
import { isLoopback } from '../format/formats.ts'
import type { ConfigPath } from '../problem/problem.ts'
import type { IssuerConfig } from '../schema/issuer.ts'
import type { PartialConfig } from '../schema/partial-config.ts'
import type { Config } from '../schema/schema.ts'
import type { ServerConfig } from '../schema/server.ts'
import type { CheckContext } from './check-context.ts'

type Issuer = PartialConfig<IssuerConfig>

/** Issuers that give each of their customers a token for any audience. */
const SHARED: Readonly<Record<string, string>> = {
  'https://token.actions.githubusercontent.com': 'every workflow on GitHub',
  'https://gitlab.com': 'every job on GitLab',
  'https://agent.buildkite.com': 'every job on Buildkite',
  'https://app.terraform.io': 'every run on HCP Terraform',
}

/** Checks `grant`, `fetch_token_file` and `spiffe_trust_domain` of an issuer. */
export function checkWorkloadIssuer(issuer: Issuer, at: ConfigPath, { isBroken, report }: CheckContext): void {
  for (const [index, rule] of entriesOf(issuer.grant)) {
    const place = [...at, 'grant', index]
    if ((rule.claim === undefined) === (rule.values === undefined) || isBroken(place)) continue
    report(place, { reason: 'has only one of `claim` and `values`', fix: 'Write both, or neither for all tokens of the issuer.' })
  }
  if (issuer.fetch_token_file === undefined) return
  const urls = [issuer.metadata_url ?? issuer.issuer, issuer.jwks_uri].filter((url) => url !== undefined)
  if (urls.every(isSafe)) return
  report([...at, 'fetch_token_file'], {
    reason: 'would be sent unencrypted: the issuer is fetched over http',
    fix: 'Write https addresses, with `ca_file` for an authority of your own.',
  })
}

function isSafe(url: string): boolean {
  const target = URL.parse(url)
  return target === null || target.protocol === 'https:' || isLoopback(target.hostname)
}

/** A token of such an issuer proves that some customer asked for it, and the audience is no secret. */
export function checkSharedIssuers(context: CheckContext): void {
  const { config, report } = context
  for (const [index, server] of entriesOf(config.servers)) {
    const at = server.issuers === undefined ? ['issuers'] : ['servers', index, 'issuers']
    for (const [place, issuer] of entriesOf(server.issuers ?? config.issuers)) {
      const everyone = SHARED[issuer.issuer?.replace(/\/$/, '') ?? '']
      if (everyone === undefined || isNarrowed(server, issuer, config)) continue
      report([...at, place], {
        reason: `lets in ${everyone}: anyone can get a token for this audience there`,
        fix: 'Add `access` with a condition on `sub` or another claim, or base `scopes` at the server and `grant` with `claim` and `values` here.',
      })
    }
  }
}

function isNarrowed(server: PartialConfig<ServerConfig>, { grant }: Issuer, config: PartialConfig<Config>): boolean {
  const hasAccess = server.access !== undefined || config.access !== undefined
  if (hasAccess && (server.access_mode ?? config.access_mode) !== 'shadow') return true
  return entriesOf(server.scopes).length > 0 && entriesOf(grant).every(([, { claim }]) => claim !== undefined)
}
