import { DIRECT, type EgressPlan, type EgressProxyPlan, type HostPattern } from '../../core/plan/egress-plan.ts'
import { type Parsed, parseDirectHost, parseExactHost, parseProxyUrl } from '../format/egress-formats.ts'
import { egressProxy as egressSchema } from '../schema/egress.ts'
import type { Config } from '../schema/schema.ts'
import { type EgressVariable, listDirectHosts } from '../source/egress-environment.ts'
import type { SecretsAndFiles } from '../source/secrets-and-files.ts'

/** What plans are made of beside the configuration: what it refers to, and how other hosts are reached. */
export interface PlanSources extends SecretsAndFiles {
  readonly egress: EgressPlan
}

/** Settles how other hosts are reached: as the file says, else as the environment says. */
export function createEgressPlan({ egress_proxy: configured }: Config, secretsAndFiles: SecretsAndFiles): EgressPlan {
  const egress = configured ?? egressSchema.parse({})
  if (!egress.enabled) return DIRECT
  const ca = secretsAndFiles.findFile(egress.ca_file)
  const resolvedByProxy = egress.resolves.map((host) => read(parseExactHost(host)))
  const { egressVariables } = secretsAndFiles
  if (egress.url === undefined) {
    return {
      https: createProxyPlan(egressVariables.https, ca),
      http: createProxyPlan(egressVariables.http, ca),
      direct: readDirectHosts(listDirectHosts(egressVariables)),
      resolvedByProxy,
    }
  }
  const { origin } = read(parseProxyUrl(egress.url))
  const password = secretsAndFiles.findSecret(egress.password) ?? ''
  const credentials = egress.username === undefined ? undefined : { username: egress.username, password }
  const proxy = { origin, credentials, ca }
  return { https: proxy, http: proxy, direct: readDirectHosts(egress.no_proxy), resolvedByProxy }
}

function createProxyPlan(variable: EgressVariable | undefined, ca: string | undefined): EgressProxyPlan | undefined {
  return variable && { ...read(parseProxyUrl(variable.value)), ca }
}

/** Those of a variable are only checked where there is a proxy; without one nothing depends on them. */
function readDirectHosts(hosts: readonly string[]): readonly HostPattern[] {
  return hosts.flatMap((host) => {
    const parsed = parseDirectHost(host)
    return parsed.mistake === undefined ? [parsed.value] : []
  })
}

function read<T>(parsed: Parsed<T>): T {
  if (parsed.mistake !== undefined) throw new Error('the value has not been checked')
  return parsed.value
}
