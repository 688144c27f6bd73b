import type { AsgardeoPlan } from '../../core/plan/identity-provider-plan.ts'
import { findTenantBase } from '../../identity/asgardeo.ts'
import type { IdentityProviderConfig } from '../schema/broker.ts'
import type { Config } from '../schema/schema.ts'
import type { SecretsAndFiles } from '../source/secrets-and-files.ts'

const MAX_APPLICATIONS = 200

/** Settles how the proxy makes its own applications at Asgardeo; undefined where it has been given one. */
export function createAsgardeoPlan(
  config: Config,
  provider: IdentityProviderConfig,
  { publicUrl, secretsAndFiles }: { readonly publicUrl: string; readonly secretsAndFiles: SecretsAndFiles },
): AsgardeoPlan | undefined {
  const { kind, admin, issuer, organization, base_url, api_resource: resource } = provider
  if (kind !== 'asgardeo' || admin === undefined) return undefined
  const clientSecret = secretsAndFiles.findSecret(admin.client_secret)
  if (clientSecret === undefined) throw new Error('the secret has not been checked')
  return {
    base: findTenantBase(issuer === undefined ? { organization, base_url } : { base_url: issuer }),
    admin: { clientId: admin.client_id, clientSecret },
    registration: provider.registration ?? 'application',
    applicationName: provider.application_name ?? createName(publicUrl),
    api: resource === undefined ? undefined : { resource, scopes: listScopes(config) },
    mostApplications: provider.most_applications ?? MAX_APPLICATIONS,
  }
}

function createName(publicUrl: string): string {
  return `open-mcp-auth-proxy_${new URL(publicUrl).host.replace(/[^A-Za-z\d.-]+/g, '-')}`.slice(0, 100)
}

/** Every scope that a server asks for. */
function listScopes({ servers }: Config): string[] {
  const all = servers.flatMap(({ scopes, rules, scope_hierarchy: implied }) => [
    ...scopes,
    ...rules.flatMap((rule) => rule.scopes ?? []),
    ...Object.keys(implied),
    ...Object.values(implied).flat(),
  ])
  return [...new Set(all)]
}
