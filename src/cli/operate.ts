import { type AdminClient, createAdminClient } from './admin-client.ts'
import type { Arguments } from './arguments.ts'
import { parseDuration } from './duration.ts'
import type { FlagName } from './flags.ts'
import { formatEnded, formatList, formatRevoked, formatUnblocked, formatUser } from './operate-lines.ts'
import type { Source } from './source.ts'
import type { Terminal } from './terminal.ts'
import { UsageError } from './usage-error.ts'

/** What the running proxy is asked, and how its answer is told. */
interface Question {
  readonly path: string
  readonly input: Readonly<Record<string, unknown>>
  readonly format: (answer: unknown) => readonly string[]
}

/**
 * `users`, `clients`, `sessions`: asks the running proxy.
 *
 * @returns the exit code
 * @throws UsageError, ConfigError, AdminError
 */
export async function runOperator(args: Arguments, source: Source, terminal: Terminal): Promise<0> {
  const { path, input, format } = chooseQuestion(args)
  const client: AdminClient = createAdminClient(source)
  const answer = await client.call(path, input)
  const lines = args.json ? [JSON.stringify(answer, null, 2)] : format(answer)
  for (const line of lines) terminal.print(line)
  return 0
}

function chooseQuestion(args: Arguments): Question {
  const { command, request } = args
  if (request === undefined) throw new UsageError(`Say what to do: ${command} …`)
  const { verb, name } = request
  const one = (flag: FlagName) => args.values.get(flag)?.[0]
  const issuer = readIssuer(args)
  const duration = one('for')
  if (args.block && verb !== 'revoke') throw new UsageError(`--block is for ${command} revoke.`)
  if (duration !== undefined && verb !== 'revoke' && verb !== 'end') throw new UsageError('--for is for revoke and end.')
  const seconds = duration === undefined ? undefined : parseDuration(duration)
  const path = `/${command}/${verb}`
  const member = command === 'users' ? 'subject' : 'client_id'
  switch (verb) {
    case 'revoke':
      return {
        path,
        input: { [member]: name, issuer, ...(args.block && { block: true }), for_seconds: seconds },
        format: formatRevoked,
      }
    case 'unblock':
      return { path, input: { [member]: name, issuer }, format: formatUnblocked }
    case 'list':
      return { path, input: { after: one('after'), most: readMost(one('most')), subject: one('user') }, format: formatList }
    case 'show':
      return { path, input: { subject: name, issuer }, format: formatUser }
    default:
      return {
        path,
        input: { id: name, sid: one('sid'), jti: one('jti'), issuer, for_seconds: seconds },
        format: name === undefined ? formatRevoked : formatEnded,
      }
  }
}

function readMost(text: string | undefined): number | undefined {
  if (text !== undefined && !/^\d{1,4}$/.test(text)) throw new UsageError('--most is a number up to 1000.')
  return text === undefined ? undefined : Number(text)
}

function readIssuer({ values }: Arguments): string | undefined {
  const [issuer, ...more] = values.get('issuer') ?? []
  if (more.length > 0) throw new UsageError('--issuer is given twice.')
  return issuer
}
