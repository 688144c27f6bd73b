import type { Place } from '../../identity/kind.ts'
import { findPlaceMistakes } from '../../identity/kinds.ts'
import { resolveKind } from '../derive/identity-provider-kind.ts'
import { entriesOf } from '../derive/present-items.ts'
import type { ConfigPath } from '../problem/problem.ts'
import type { IdentityProviderConfig } from '../schema/broker.ts'
import type { PartialConfig } from '../schema/partial-config.ts'
import type { CheckContext } from './check-context.ts'

type Provider = PartialConfig<IdentityProviderConfig>

const at: ConfigPath = ['identity_provider']

/** Checks that an identity provider can be found, that the proxy can authenticate there, and that its rules can be read. */
export function checkIdentityProvider(provider: Provider, context: CheckContext): void {
  checkPlace(provider, context)
  checkApplication(provider, context)
  checkRules(provider, context)
}

function checkPlace(provider: Provider, { isBroken, report }: CheckContext): void {
  if (isBroken([...at, 'kind'])) return
  const has = (key: string) => provider[key as keyof Provider] !== undefined || isBroken([...at, key])
  if (provider.kind === undefined && has('issuer') === has('oauth')) {
    report(at, {
      reason: has('issuer') ? 'has both `issuer` and `oauth`' : 'has neither `issuer` nor `oauth`, and no `kind`',
      fix: 'Name the product with `kind`, or write `issuer` for OpenID Connect, or `oauth` with the endpoints of a provider without it.',
    })
    return
  }
  if (has('metadata_url') && (resolveKind(provider) === 'oauth' || resolveKind(provider) === 'github'))
    report([...at, 'metadata_url'], { reason: 'has no use for a provider without OpenID Connect', fix: 'Remove it.' })
  // Of the endpoints it is enough that they are there; what is wrong in them has been told.
  const { oauth: _, ...rest } = provider
  for (const { key, reason, fix } of findPlaceMistakes(resolveKind(provider), rest as Place, has))
    report([...at, key], { reason, fix })
}

/** The proxy has an application at the provider, or makes one. */
function checkApplication(provider: Provider, context: CheckContext): void {
  const { isBroken, report } = context
  const has = (key: keyof Provider) => provider[key] !== undefined || isBroken([...at, key])
  if (has('admin')) return checkAdmin(provider, context)
  for (const key of ['registration', 'application_name', 'api_resource', 'most_applications'] as const)
    if (has(key)) report([...at, key], { reason: 'has no use without `admin`', fix: 'Add `admin`, or remove it.' })
  if (!has('client_id')) {
    const instead = provider.kind === 'asgardeo' ? ' Or write `admin`, to have the proxy make an application.' : ''
    report([...at, 'client_id'], { reason: 'is missing', fix: `Register the proxy at the provider and add it.${instead}` })
  }
  checkSecret(provider, context)
}

function checkAdmin(provider: Provider, { config, isBroken, report }: CheckContext): void {
  if (provider.kind !== 'asgardeo' && !isBroken([...at, 'kind']))
    return report([...at, 'admin'], {
      reason: 'has a use with `kind: asgardeo` only',
      fix: 'Write `client_id` and `client_secret` instead.',
    })
  for (const key of ['client_id', 'client_secret', 'client_authentication'] as const)
    if (provider[key] !== undefined)
      report([...at, key], {
        reason: 'has no use beside `admin`, with which the proxy makes an application of its own',
        fix: 'Remove one of the two.',
      })
  if (provider.most_applications !== undefined && provider.registration !== 'per_client' && !isBroken([...at, 'registration']))
    report([...at, 'most_applications'], { reason: 'has a use with `registration: per_client` only', fix: 'Remove it.' })
  const hasScopes = entriesOf(config.servers).some(([, { scopes, rules }]) => (scopes ?? []).length + entriesOf(rules).length > 0)
  if (provider.api_resource !== undefined && !hasScopes && !isBroken(['servers']))
    report([...at, 'api_resource'], {
      reason: 'has no use where no server asks for scopes',
      fix: 'Add `scopes` or `rules` to a server, or remove it.',
    })
}

function checkSecret(
  { client_authentication: method, client_secret: secret }: Provider,
  { isBroken, report }: CheckContext,
): void {
  const hasSecret = secret !== undefined || isBroken([...at, 'client_secret'])
  if (method !== 'none' && !hasSecret && !isBroken([...at, 'client_authentication'])) {
    report([...at, 'client_secret'], {
      reason: `is missing; ${method === undefined ? 'the proxy authenticates with it' : `\`${method}\` needs it`}`,
      fix: 'Add it as { env: NAME } or { file: path }.',
    })
  }
  if (method === 'none' && secret !== undefined) {
    report([...at, 'client_secret'], { reason: 'has no use with `client_authentication: none`', fix: 'Remove one of the two.' })
  }
}

function checkRules(provider: Provider, context: CheckContext): void {
  const { isBroken, report } = context
  checkAddresses(provider, context)
  for (const [index, rule] of entriesOf(provider.grant)) {
    if ((rule.claim === undefined) === (rule.values === undefined) || isBroken([...at, 'grant', index])) continue
    report([...at, 'grant', index], {
      reason: 'has only one of `claim` and `values`',
      fix: 'Write both, or neither for every user.',
    })
  }
  const narrowing = { google: 'domain', github: 'organization' } as const
  const key = provider.kind === 'google' || provider.kind === 'github' ? narrowing[provider.kind] : undefined
  if (key === undefined || provider[key] === undefined || entriesOf(provider.allow).length === 0) return
  report([...at, 'allow'], {
    reason: `is combined with \`${key}\`: one of the two alone would let users in whom the other keeps out`,
    fix: `Write all conditions under \`allow\`, where one is enough, and remove \`${key}\`; or remove \`allow\`.`,
  })
}

/** A domain among addresses, or the other way round, never matches. */
function checkAddresses({ allow, grant }: Provider, { report }: CheckContext): void {
  for (const [key, rules] of [['allow', allow] as const, ['grant', grant] as const])
    for (const [index, { claim, values }] of entriesOf<{
      readonly claim?: string | undefined
      readonly values?: readonly (string | undefined)[] | undefined
    }>(rules)) {
      if (claim !== 'email' && claim !== 'email_domain') continue
      for (const [place, value] of entriesOf(values)) {
        if (value.includes('@') === (claim === 'email')) continue
        report([...at, key, index, 'values', place], {
          reason:
            claim === 'email'
              ? 'is not an email address, and `email` was asked for'
              : 'has an @, and `email_domain` is the part behind it',
          fix:
            claim === 'email' ? 'Write a whole address, or `claim: email_domain`.' : 'Write the domain alone, or `claim: email`.',
        })
      }
    }
}
