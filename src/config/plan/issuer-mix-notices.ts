import { nameServer } from '../derive/endpoints.ts'
import type { AccessEntryConfig, RuleConfig } from '../schema/access.ts'
import type { Config } from '../schema/schema.ts'
import type { ServerConfig } from '../schema/server.ts'

/** Each issuer is trusted with what it says of its own users. Where there are several, a group or subject of one may be meant. */
export function createIssuerMixNotices(server: ServerConfig, config: Config): string[] {
  const issuers = (server.issuers ?? config.issuers).length + (config.identity_provider === undefined ? 0 : 1)
  const entries = [...(config.access ?? []), ...(server.access ?? [])]
  if (issuers < 2 || !(entries.some(isOfAnyIssuer) || server.rules.some(isAboutAnyIssuer))) return []
  return [
    `server ${nameServer(server)}: accepts tokens of ${issuers} issuers, and groups, claims and subjects count whichever of them names them. Where one is meant, add principal.issuer == '…' (\`who\` of an access entry, \`require\` of a rule).`,
  ]
}

function isOfAnyIssuer({ groups, claim, who }: AccessEntryConfig): boolean {
  if (who?.includes('principal.issuer')) return false
  return groups !== undefined || claim !== undefined || (who !== undefined && isAboutUsers(who))
}

function isAboutAnyIssuer({ require: needed = '' }: RuleConfig): boolean {
  return isAboutUsers(needed) && !needed.includes('principal.issuer')
}

function isAboutUsers(expression: string): boolean {
  return /principal\.(?:groups|claims|subject)/.test(expression)
}
