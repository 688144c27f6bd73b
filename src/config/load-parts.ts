import type { IssuerPlan } from '../core/plan/issuer-plan.ts'
import type { PolicyPlan } from '../core/plan/policy-plan.ts'
import type { ServerPlan } from '../core/plan/server-plan.ts'
import { type LoadOptions, loadConfigValue } from './load.ts'
import { ConfigError, problemAt } from './problem/problem.ts'
import type { ConfigInput } from './schema/schema.ts'

/** An issuer as it is written in a configuration. */
export type IssuerInput = NonNullable<ConfigInput['issuers']>[number]

type ServerInput = ConfigInput['servers'][number]

/** What a configuration says of a server's policy, and the path that rules about paths may name. */
export type PolicyInput = Pick<
  ServerInput,
  'path' | 'scopes' | 'access' | 'access_mode' | 'rules' | 'list_step_up' | 'scope_hierarchy' | 'unlisted_operations'
>

/** Where secrets and files of the part are looked for. */
export type PartOptions = Pick<LoadOptions, 'env' | 'directory'>

/** A part of a plan, and what the operator should know about it, one line each. */
export interface LoadedPart<Part> {
  readonly part: Part
  readonly notices: readonly string[]
}

/** What a valid configuration needs around the part. Nothing of it is used. */
const UNUSED = { name: 'unused', issuer: 'https://issuer.invalid', path: '/mcp', upstream: 'http://localhost/mcp' }

/**
 * Loads the issuers of a configuration alone, by the same rules as in a whole one.
 *
 * @throws ConfigError with every mistake
 */
export function loadIssuers(issuers: readonly IssuerInput[], options: PartOptions): LoadedPart<readonly IssuerPlan[]> {
  const { server, notices } = loadServer({ path: UNUSED.path, issuers: [...issuers] }, options)
  return { part: server.issuers, notices }
}

/**
 * Loads the policy of one server alone, by the same rules as in a whole configuration.
 *
 * @throws ConfigError with every mistake
 */
export function loadPolicy(policy: PolicyInput, options: PartOptions): LoadedPart<PolicyPlan> {
  const { server, notices } = loadServer({ path: UNUSED.path, ...policy, issuers: [UNUSED.issuer] }, options)
  return { part: server.policy, notices }
}

interface LoadedServer {
  readonly server: ServerPlan
  readonly notices: readonly string[]
}

function loadServer(server: ServerInput, options: PartOptions): LoadedServer {
  const { name, upstream } = UNUSED
  try {
    const { plan, notices } = loadConfigValue({ servers: [{ ...server, name, upstream }] }, { ...options, terminal: false })
    return { server: plan.servers[0] as ServerPlan, notices: notices.flatMap(findNoticeOfPart) }
  } catch (error) {
    throw error instanceof ConfigError ? namePlacesInPart(error) : error
  }
}

/** `servers[0].rules[1].tool` → `rules[1].tool`: the caller has written no server. */
function namePlacesInPart({ problems }: ConfigError): ConfigError {
  return new ConfigError(problems.map((problem) => problemAt(problem.at.slice(2), problem)))
}

/** Notices about a whole proxy do not concern a part. */
function findNoticeOfPart(notice: string): string[] {
  const ofServer = `server ${UNUSED.name}: `
  if (notice.startsWith(ofServer)) return [notice.slice(ofServer.length)]
  return notice.startsWith('issuer ') ? [notice] : []
}
