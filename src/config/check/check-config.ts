import { ConfigError, type Problem, problemAt, type Report } from '../problem/problem.ts'
import { type Parsed, parsePartially } from '../schema/partial-config.ts'
import { type Config, configSchema } from '../schema/schema.ts'
import { loadSecretsAndFiles, type ReferenceSource, type SecretsAndFiles } from '../source/secrets-and-files.ts'
import { withStandIns } from '../source/stand-ins.ts'
import { checkAccess } from './access.ts'
import { checkAccessKeys } from './access-keys.ts'
import { checkAudit } from './audit.ts'
import { checkBroker } from './broker.ts'
import { checkCredentials } from './credential.ts'
import { checkEdge } from './edge.ts'
import { checkEgress } from './egress.ts'
import { checkIdentity } from './identity.ts'
import { checkIssuers } from './issuer.ts'
import { checkPlaceholders } from './placeholders.ts'
import { checkPolicy } from './policy.ts'
import { checkRateLimits } from './rate-limits.ts'
import { checkRewrite } from './rewrite.ts'
import { checkSecretsAndFiles } from './secrets-and-files.ts'
import { checkServers } from './server.ts'
import { checkStorage } from './storage.ts'

/** A configuration that every check has passed, with what it refers to. */
export interface CheckedConfig {
  readonly config: Config
  readonly secretsAndFiles: SecretsAndFiles
}

/** Where secrets and files are, and how strict a check is. */
export interface CheckSource extends ReferenceSource {
  readonly mayHavePlaceholders?: boolean
}

/**
 * Checks a configuration: its form, what its keys say together, and what it refers to.
 *
 * @param value - anything
 * @param source - where secrets and files are
 * @throws ConfigError with every mistake
 */
export function checkConfig(value: unknown, source: CheckSource): CheckedConfig {
  const parsed = parsePartially(configSchema, value)
  const problems = [...parsed.problems]
  const secretsAndFiles = inspect(parsed, source, (at, mistake) => problems.push(problemAt(at, mistake)))
  if (parsed.value === undefined || problems.length > 0) throw new ConfigError(deduplicate(problems))
  const { value: config } = parsed
  return { config, secretsAndFiles: source.secrets === 'stand_in' ? withStandIns(config, secretsAndFiles) : secretsAndFiles }
}

function inspect(parsed: Parsed<Config>, source: CheckSource, report: Report): SecretsAndFiles {
  const { partial: config, isBroken } = parsed
  const secretsAndFiles = loadSecretsAndFiles(config, source, report)
  const context = { config, isBroken, secretsAndFiles, report }
  for (const check of [
    checkEdge,
    checkEgress,
    checkIssuers,
    checkAccessKeys,
    checkServers,
    checkIdentity,
    checkPolicy,
    checkAccess,
    checkRateLimits,
    checkSecretsAndFiles,
    checkBroker,
    checkCredentials,
    checkStorage,
    checkAudit,
    checkRewrite,
  ])
    check(context)
  if (source.mayHavePlaceholders !== true) checkPlaceholders(context)
  return secretsAndFiles
}

function deduplicate(problems: readonly Problem[]): Problem[] {
  return [...new Map(problems.map((problem) => [`${problem.path}\n${problem.reason}`, problem])).values()]
}
