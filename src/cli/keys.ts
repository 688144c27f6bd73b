import { openKeyActions } from '../app.ts'
import { createAccessKey, digestAccessKey, isAccessKey, redactAccessKeys } from '../core/access-key.ts'
import { ProxyError } from '../core/errors.ts'
import type { Plan } from '../core/plan/plan.ts'
import { endSentence } from '../core/sentence.ts'
import { AdminError, createAdminClient, describeMissingToken } from './admin-client.ts'
import type { Arguments } from './arguments.ts'
import type { FlagName } from './flags.ts'
import { formatCreated, formatEntry, formatKeys, formatRevokedKeys, type KeyTerms } from './key-lines.ts'
import type { Source } from './source.ts'
import type { Terminal } from './terminal.ts'
import { readToken } from './token-file.ts'
import { UsageError } from './usage-error.ts'

const USUAL_DAYS = 90
const DAY_SECONDS = 86_400

/**
 * `keys create`, `keys list`, `keys revoke`, `keys hash`.
 *
 * @param findSource - called only where a configuration is needed
 * @returns the exit code
 * @throws UsageError, ConfigError, AdminError
 */
export async function runKeys(args: Arguments, findSource: () => Source, terminal: Terminal): Promise<0> {
  const { verb = '', name = '' } = args.request ?? {}
  checkFlags(verb, args)
  switch (verb) {
    case 'hash':
      terminal.print(hashKey(args.values.get('token')?.[0] ?? '-'))
      return 0
    case 'create':
      return args.entry ? printEntry(args, terminal) : createKey(args, findSource(), terminal)
    case 'revoke':
      return show(
        args,
        terminal,
        formatRevokedKeys,
        await ask(findSource(), terminal, '/keys/revoke', { name: checkNamed(name) }),
      )
    default:
      return show(args, terminal, formatKeys, await ask(findSource(), terminal, '/keys/list', {}))
  }
}

function show(args: Arguments, terminal: Terminal, format: (answer: unknown) => readonly string[], answer: unknown): 0 {
  for (const line of args.json ? [JSON.stringify(answer, null, 2)] : format(answer)) terminal.print(line)
  return 0
}

const CREATING: readonly FlagName[] = ['name', 'server', 'scopes', 'days', 'user', 'for', 'issuer', 'address', 'entry']

function checkFlags(verb: string, { values, entry }: Arguments): void {
  const given = entry ? 'entry' : CREATING.find((name) => values.has(name))
  if (verb !== 'create' && given !== undefined) throw new UsageError(`--${given} is for keys create.`)
  if (verb !== 'hash' && values.has('token')) throw new UsageError('--token is for keys hash.')
}

/** The command line is seen by every user of the machine. */
function checkNamed(name: string): string {
  if (!isAccessKey(name)) return name
  throw new UsageError(
    'Name the key by its name or id: `keys list` shows both. The key itself was on the command line now, which others on this machine can read: revoke it.',
  )
}

function hashKey(from: string): string {
  const digest = digestAccessKey(readToken(from, 'key'))
  if (digest === undefined)
    throw new UsageError('That is no access key: one begins with omap_ and has 49 characters behind it, a checksum among them.')
  return `sha256:${digest}`
}

/** A key that only this process sees: everyone else gets its digest. */
function makeKey(): { readonly key: string; readonly digest: string } {
  const key = createAccessKey()
  return { key, digest: `sha256:${digestAccessKey(key)}` }
}

function readTerms(args: Arguments): KeyTerms {
  const one = (flag: FlagName) => args.values.get(flag)?.[0]
  const some = (flag: FlagName) =>
    (args.values.get(flag) ?? []).flatMap((text) => text.split(/[\s,]+/)).filter((text) => text !== '')
  const name = one('name')
  const servers = some('server')
  if (name === undefined) throw new UsageError('--name is missing: what logs and policy call the key.')
  if (servers.length === 0) throw new UsageError('--server is missing: the servers that accept the key.')
  const user = readUser(one('user'), one('for'))
  if (args.values.has('issuer') && user === undefined)
    throw new UsageError('--issuer says whose user --user is, and --user is missing.')
  return {
    ...{ name, servers, scopes: some('scopes'), addresses: some('address') },
    ...{ user, issuer: one('issuer'), seconds: readDays(one('days')) * DAY_SECONDS },
  }
}

/** `for` is the key of the file. */
function readUser(user: string | undefined, other: string | undefined): string | undefined {
  if (user !== undefined && other !== undefined)
    throw new UsageError('--for is another spelling of --user here: give one of them.')
  return user ?? other
}

function readDays(text: string | undefined): number {
  const days = text === undefined ? USUAL_DAYS : /^\d{1,3}$/.test(text) ? Number(text) : 0
  if (days < 1 || days > 366) throw new UsageError('--days is a number from 1 to 366.')
  return days
}

function printEntry(args: Arguments, terminal: Terminal): 0 {
  const { key, digest } = makeKey()
  const terms = readTerms(args)
  const expires = new Date(Date.now() + terms.seconds * 1000)
  for (const line of [key, '', ...formatEntry(terms, digest, expires)]) terminal.print(line)
  terminal.tell('The first line is the key, which is shown only now. Add the entry to the configuration.')
  return 0
}

async function createKey(args: Arguments, source: Source, terminal: Terminal): Promise<0> {
  const { name, servers, scopes, addresses, user, issuer, seconds } = readTerms(args)
  const { key, digest } = makeKey()
  const input = { name, digest, servers, scopes, addresses, subject: user, issuer, for_seconds: seconds }
  const answer = await ask(source, terminal, '/keys/create', input)
  if (args.json) return show(args, terminal, () => [], { ...(answer as object), key })
  terminal.print(key)
  for (const line of formatCreated(answer)) terminal.tell(line)
  return 0
}

type Input = Readonly<Record<string, unknown>>

/** Asks the running proxy, or where it does not run the store that it has. */
async function ask(source: Source, terminal: Terminal, path: string, input: Input): Promise<unknown> {
  const { plan } = source.load()
  const { admin, store } = plan
  const isAsked = admin?.token !== undefined && admin.port !== 0
  if (!isAsked && store.kind === 'memory')
    throw new UsageError(
      `${source.name} keeps its state in memory, where only the running proxy can write. ${describeMissingToken(admin)}, or add a \`store\`; or have \`keys create --entry\` print an entry for \`keys\` in the file.`,
    )
  if (!isAsked) return askStore(plan, terminal, path, input)
  try {
    return await createAdminClient(source).call(path, input)
  } catch (error) {
    if (!(error instanceof AdminError) || !error.isAbsent || store.kind === 'memory') throw error
    terminal.tell('The proxy does not run here; its store is asked.')
    return askStore(plan, terminal, path, input)
  }
}

async function askStore(plan: Plan, terminal: Terminal, path: string, input: Input): Promise<unknown> {
  const desk = await openKeyActions(plan, terminal.tell).catch(fail)
  try {
    return await desk.call(path, input)
  } catch (error) {
    return fail(error)
  } finally {
    await desk.close()
  }
}

function fail(error: unknown): never {
  if (!(error instanceof Error)) throw error
  const { message, cause } = error
  const reason =
    error instanceof ProxyError && cause !== undefined ? String(cause instanceof Error ? cause.message : cause) : message
  throw new AdminError(endSentence(`Not done: ${redactAccessKeys(reason)}`))
}
