import { ConfigError, type Problem, problemAt, type Report } from '../problem/problem.ts'
import { type Parsed, parseDraft } from '../schema/partial-config.ts'
import { type Config, configSchema } from '../schema/schema.ts'
import { loadMaterial, type Material, type MaterialSource } from '../source/secrets-and-files.ts'
import { checkBroker } from './broker.ts'
import { checkEdge } from './edge.ts'
import { checkIssuers } from './issuer.ts'
import { checkMaterial } from './key-material.ts'
import { checkPolicy } from './policy.ts'
import { checkRewrite } from './rewrite.ts'
import { checkServers } from './server.ts'

/** A configuration that every check has passed, with what it refers to. */
export interface CheckedConfig {
  readonly config: Config
  readonly material: Material
}

/**
 * Checks a configuration: its form, what its keys say together, and what it refers to.
 *
 * @param value - anything
 * @param source - where secrets and files are
 * @throws ConfigError with every mistake
 */
export function checkConfig(value: unknown, source: MaterialSource): CheckedConfig {
  const parsed = parseDraft(configSchema, value)
  const problems = [...parsed.problems]
  const material = inspect(parsed, source, (at, flaw) => problems.push(problemAt(at, flaw)))
  if (parsed.value === undefined || problems.length > 0) throw new ConfigError(withoutRepeats(problems))
  return { config: parsed.value, material }
}

function inspect(parsed: Parsed<Config>, source: MaterialSource, report: Report): Material {
  const { draft, isBroken } = parsed
  const material = loadMaterial(draft, source, report)
  const inspection = { draft, isBroken, material, report }
  for (const check of [checkEdge, checkIssuers, checkServers, checkPolicy, checkMaterial, checkBroker, checkRewrite])
    check(inspection)
  return material
}

function withoutRepeats(problems: readonly Problem[]): Problem[] {
  return [...new Map(problems.map((problem) => [`${problem.path}\n${problem.reason}`, problem])).values()]
}
