import { existsSync } from 'node:fs'
import { openKeyActions } from '../app.ts'
import { isAccessKey } from '../core/access-key.ts'
import { ProxyError } from '../core/errors.ts'
import { StrictJsonError } from '../core/json/strict-json-error.ts'
import type { Plan } from '../core/plan/plan.ts'
import type { EndpointPlan, ServerPlan } from '../core/plan/server-plan.ts'
import type { Principal } from '../core/principal.ts'
import { endSentence } from '../core/sentence.ts'
import { createRedaction } from '../doctor/untrusted-text.ts'
import { describeRefusedToken } from '../explain/answer.ts'
import { createCircumstances, createExplainer } from '../explain/explanation.ts'
import { createPrincipalOfClaims, parseClaims, UnknownIssuerError, verifyToken } from '../explain/principal.ts'
import { findEndpoint, isJsonObject, type NamedOperation, type OperationKind } from '../explain/request.ts'
import type { Arguments } from './arguments.ts'
import { describeExplained, formatJson } from './explain-json.ts'
import { type Explained, formatExplained } from './explain-lines.ts'
import { explainRecord } from './explain-record.ts'
import type { FlagName } from './flags.ts'
import type { Source } from './source.ts'
import type { Terminal } from './terminal.ts'
import { readToken } from './token-file.ts'
import { UsageError } from './usage-error.ts'

type Values = Arguments['values']

/**
 * `explain`: says who may do what, and what decides that. Nothing is called.
 *
 * @returns the exit code: 0 permitted, 3 denied
 * @throws UsageError, ConfigError
 */
export async function runExplain(args: Arguments, source: Source, terminal: Terminal): Promise<0 | 3> {
  const { values, json } = args
  if (values.has('audit') || values.has('request')) return explainRecord(args, source, terminal)
  const operation = readOperation(values)
  if (args.noSecrets && values.has('token'))
    throw new UsageError('--no-secrets needs --claims: to verify a token may take secrets.')
  const credential = readCredential(values)
  const { plan } = source.load()
  const { server, endpoint } = findServer(one(values, 'server'), plan.servers)
  const explained = await explainTo(credential, operation, { server, endpoint, plan })
  const redact = createRedaction('token' in credential ? [credential.token] : [])
  if (json) terminal.print(redact(formatJson(describeExplained(explained))))
  else for (const line of formatExplained(explained, terminal.paintOutput, redact)) terminal.print(line)
  return explained.explanation?.decision.effect === 'permit' ? 0 : 3
}

function one(values: Values, name: FlagName): string | undefined {
  return values.get(name)?.[0]
}

const KINDS: readonly OperationKind[] = ['tool', 'prompt', 'resource', 'method']

function readOperation(values: Values): NamedOperation {
  const given = KINDS.filter((kind) => values.has(kind))
  const [kind] = given
  if (kind === undefined || given.length > 1)
    throw new UsageError('Give one of --tool, --prompt, --resource and --method: what is asked for.')
  const argsText = one(values, 'args')
  if (kind === 'resource' && argsText !== undefined) throw new UsageError('--args: reading a resource takes no arguments.')
  if (argsText !== undefined) checkJsonObject('args', argsText)
  return { kind, name: one(values, kind) ?? '', argsText }
}

/** @throws UsageError which repeats nothing of the text: it may hold personal data */
function checkJsonObject(flag: 'args' | 'claims', text: string): void {
  try {
    if (isJsonObject(text)) return
  } catch (error) {
    if (!(error instanceof StrictJsonError)) throw error
    const what = error.kind === 'ambiguous' ? 'JSON that can be read in two ways' : 'not JSON'
    throw new UsageError(`--${flag} is ${what}: ${error.message}.`)
  }
  throw new UsageError(`--${flag} takes a JSON object: '{ … }'.`)
}

type Credential = { readonly token: string } | { readonly claims: string }

function readCredential(values: Values): Credential {
  const [token, claims] = [one(values, 'token'), one(values, 'claims')]
  if (token !== undefined && claims !== undefined) throw new UsageError('Give --token or --claims, not both.')
  if (token !== undefined) return { token: readToken(token) }
  if (claims === undefined) throw new UsageError("Say who asks: --token FILE, or --claims '{ … }'.")
  checkJsonObject('claims', claims)
  return { claims }
}

interface FoundServer {
  readonly server: ServerPlan
  readonly endpoint: EndpointPlan
}

/** @param name - name of a server, or path of one of its endpoints */
function findServer(name: string | undefined, servers: readonly ServerPlan[]): FoundServer {
  const [first, ...others] = servers
  if (name === undefined && first !== undefined && others.length === 0) return { server: first, endpoint: findEndpoint(first) }
  const named = servers.find((server) => server.name === name)
  if (named !== undefined) return { server: named, endpoint: findEndpoint(named) }
  const found = servers
    .flatMap((server) => server.endpoints.map((endpoint) => ({ server, endpoint })))
    .find(({ endpoint }) => endpoint.path === name)
  if (found !== undefined) return found
  const names = servers.map((server) => JSON.stringify(server.name)).join(', ')
  throw new UsageError(
    `${name === undefined ? '--server is missing' : `There is no server ${JSON.stringify(name)}`}. There are ${names}.`,
  )
}

interface Asked extends FoundServer {
  readonly plan: Plan
}

async function explainTo(
  credential: Credential,
  operation: NamedOperation,
  { server, endpoint, plan }: Asked,
): Promise<Explained> {
  const circumstances = createCircumstances(server, { path: endpoint.path })
  const asked = { operation, server: server.name, path: endpoint.path, revision: circumstances.revision }
  try {
    const principal = await findPrincipal(credential, server, plan)
    const explanation = explainOperation(() => createExplainer(server, plan.limits).explain(principal, operation, circumstances))
    const notes = listNotes(credential, principal, plan)
    return { asked, notes, principal, explanation, refusedToken: undefined }
  } catch (error) {
    if (!(error instanceof ProxyError)) throw error
    return {
      asked,
      notes: listRefusalNotes(error, server, plan),
      principal: undefined,
      explanation: undefined,
      refusedToken: describeRefusedToken(error),
    }
  }
}

/** What the explanation does not take into account. */
function listNotes(credential: Credential, { issuer, accessKey }: Principal, { broker }: Plan): string[] {
  if ('claims' in credential) return ['The claims are taken as given: signature, audience and times are not checked.']
  if (accessKey !== undefined) return ['From which address the access key comes is not looked at.']
  if (issuer !== broker?.issuer) return []
  return [
    'Groups and claims of users who sign in with the proxy are in the store of the running process, which is not asked, nor whether the token was revoked: explain these users by --claims.',
  ]
}

/** What else applies to a token that is refused here. */
function listRefusalNotes({ code }: ProxyError, { legacyClients }: ServerPlan, { broker }: Plan): string[] {
  if (code === 'issuer_unavailable' && broker !== undefined)
    return ['Tokens of users who sign in with the proxy need its keys: start it, or explain these users by --claims.']
  if (code !== 'token_audience_mismatch' || legacyClients !== 'signature_only') return []
  return ['On HTTP+SSE, `legacy_clients: signature_only` lets tokens that name no audience past all checks.']
}

async function findPrincipal(credential: Credential, server: ServerPlan, plan: Plan): Promise<Principal> {
  if ('token' in credential)
    return isAccessKey(credential.token) ? verifyKey(credential.token, server, plan) : verifyToken(credential.token, server)
  try {
    return createPrincipalOfClaims(parseClaims(credential.claims), server)
  } catch (error) {
    throw error instanceof UnknownIssuerError
      ? new UsageError(`--claims: the claim \`iss\` is missing, ${error.message}.`)
      : error
  }
}

/** Keys of the configuration, and of the store where that is more than the memory of another process. Nothing is made: no store either. */
async function verifyKey(key: string, { name }: ServerPlan, plan: Plan): Promise<Principal> {
  const isMissing = plan.store.kind === 'sqlite' && !existsSync(plan.store.file)
  const keys = await openKeyActions(isMissing ? { ...plan, store: { kind: 'memory' } } : plan, () => undefined).catch(
    (error: Error) => {
      throw new UsageError(endSentence(`The store, which may have this access key, cannot be read: ${error.message}`))
    },
  )
  try {
    return keys.explain(key, name)
  } finally {
    await keys.close()
  }
}

/** What the proxy would not read is a mistake of the question. */
function explainOperation<T>(find: () => T): T {
  try {
    return find()
  } catch (error) {
    if (!(error instanceof ProxyError)) throw error
    throw new UsageError(`The request cannot be read (${error.code}: ${String(error.cause)}).`)
  }
}
